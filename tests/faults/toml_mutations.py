"""Seeded damage to TOML text: lines lost and doubled, values and names of every wrong kind, bytes that are none."""

import random
import re

#: What nobody writes on purpose, each of another kind; as TOML.
VALUES = (
    *("nan", "inf", "-inf", "0", "-1", "1e308", "1e-999999999", "true", '""', '"x"', "[]", "{}", "[[]]", "2024-01-01", "07:32:00", "1e400"),
    *("1000000000000000000", f"1{'0' * 30}", f"1{'0' * 5000}", f"0x{'f' * 5000}", f"0.{'1' * 5000}", "9223372036854775807"),
    *('["a", "b"]', '{ is = "a table" }', "[nan, 1e400]", f"{'[' * 60}{']' * 60}", f"{'[' * 20000}{']' * 20000}", "[1, [2, [3]]]"),
    *(r'"\u0000"', r'"\u001b[2J\u001b]0;title\u0007"', r'"\u202eevil"', r'"\U0010FFFF"', f'"{"x" * 300}"'),
    *(f'"{"y" * 20000}"', '"../../x"', '"/etc/passwd"', '"*"', '"[a"', '"**/*"', '"a/b"', '"."', '".."', '"folder:"', '"folder:/"'),
    *(r'"folder:a\u0000b"', '"folder:~"', f'"folder:/{"z" * 5000}"', f"[{', '.join(map(str, range(3000)))}]"),
    f"[{', '.join(repr(str(n)) for n in range(3000))}]",
)
#: Names of keys, in the same spirit.
KEYS = (
    *('""', '"a b"', r'"\u0000"', "name", "settings", "extends", "tasks", "variant", "task", "figure", "on", "axes", "seeds", "value"),
    *("budget.x", ".".join("a" * 20), ".".join("a" * 20000), f'"{"k" * 5000}"', '"ключ"', "description", "expect", "conflicts", "id"),
)
_VALUE = re.compile(r"(?<== )(\"[^\"\n]*\"|\[[^\[\]\n]*\]|[\w.+-]+)")
_KEY = re.compile(r"(?m)(?:^|(?<=[{,] ))([\w.-]+)(?= = )")


def damaged(text: str, chance: random.Random) -> bytes:
    """The text after one to three accidents; mostly still TOML."""
    blob = text
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        blob = chance.choice(_ACCIDENTS)(blob, chance)
    return _bytes_lost(blob.encode(), chance) if chance.random() < 0.05 else blob.encode()


def _other_value(text: str, chance: random.Random) -> str:
    return _replaced(text, _VALUE, chance.choice(VALUES), chance)


def _other_key(text: str, chance: random.Random) -> str:
    return _replaced(text, _KEY, chance.choice(KEYS), chance)


def _value_of_another(text: str, chance: random.Random) -> str:
    found = _VALUE.findall(text)
    return _replaced(text, _VALUE, chance.choice(found), chance) if found else text


def _new_entry(text: str, chance: random.Random) -> str:
    return _with_line(text, f"{chance.choice(KEYS)} = {chance.choice(VALUES)}", chance)


def _new_table(text: str, chance: random.Random) -> str:
    name = chance.choice(("variant", "task", "figure", "remark", "axes", "budget.x", "claim", "on", "a.b.c", ".".join("t" * 40)))
    return _with_line(text, chance.choice((f"[[{name}]]", f"[{name}]")), chance)


def _line_lost(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    del lines[chance.randrange(len(lines))]
    return "\n".join(lines) or "\n"


def _line_doubled(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return "\n".join(lines)


def _broken_off(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text))] + "\n"


def _letter_changed(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice("\0\r\x1b\u202e\"'[]{}=.,#9- \n") + text[at + 1 :]


_ACCIDENTS = (
    *(_other_value, _other_value, _other_value, _other_key, _other_key, _value_of_another, _new_entry, _new_table),
    *(_line_lost, _line_doubled, _broken_off, _letter_changed),
)


def _replaced(text: str, pattern: re.Pattern[str], by: str, chance: random.Random) -> str:
    found = list(pattern.finditer(text))
    if not found:
        return text
    one = chance.choice(found)
    return text[: one.start(1)] + by + text[one.end(1) :]


def _with_line(text: str, line: str, chance: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(chance.randrange(len(lines) + 1), line)
    return "\n".join(lines)


def _bytes_lost(blob: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(blob))
    return blob[:at] + bytes(chance.randrange(256) for _ in range(3)) + blob[at + 1 :]
