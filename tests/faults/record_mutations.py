"""Seeded damage to a record: values of every wrong kind, fields lost and added, bytes; and the work of somebody who knows the format."""

import hashlib
import json
import random
from typing import Any

#: As JSON, each of another kind.
VALUES = (
    *("null", "true", "0", "-1", "1", "0.5", "1e308", "-1e308", "1e999", "NaN", "Infinity", "9007199254740993", "9223372036854775807"),
    *("1E5", f"1{'0' * 30}", "9" * 5000, '""', '"x"', '"="', f'"{"x" * 300}"', f'"{"y" * 100000}"', r'"\u0000"', r'"\ud800"'),
    *(r'"\u001b[2J\u202e"', "[]", "{}", "[[]]", '{"a": {"b": []}}', f"{'[' * 900}{']' * 900}", f"{'[' * 100000}{']' * 100000}"),
    *('[1, "a", null]', "[0.1, 0.2]", '"done"', '"failed"', '"leaky"', '"complete"', '"unchecked"', '"exact"', '"elbo"', '"iwae-5"'),
    *('"histogram"', '"cifar10"', '"../.."', '"/"', '"folder:/"', '"*"', '"$x"', '"_x"', '"png"', '"pixelvae"', "2", "65536", "1e-300"),
)


def damaged(document: dict[str, Any], chance: random.Random) -> bytes:
    """The record after one to three accidents; of half of them key and digest are right again."""
    copy, raw = json.loads(json.dumps(document)), {}
    for number in range(chance.choice((1, 1, 2, 3))):
        holder, name = chance.choice(list(_places(copy)))
        action = chance.random()
        if action < 0.75:
            mark = f"@@{number}@@"
            raw[json.dumps(mark)] = chance.choice(VALUES)
            holder[name] = mark
        elif action < 0.9:
            del holder[name]
        elif isinstance(holder, dict):
            holder[chance.choice(("x", "", "a.b", "name", "torch"))] = chance.choice((1, None, "x", [], {}))
    text = json.dumps(copy)
    for mark, value in raw.items():
        text = text.replace(mark, value)
    if chance.random() < 0.5:
        text = right_again(text)
    blob = text.encode()
    return _bytes_changed(blob, chance) if chance.random() < 0.1 else blob


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every holder with each of its keys or indices."""
    found, holders = [], [value]
    while holders:
        holder = holders.pop()
        inside = list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))
        found += [(holder, name) for name, _ in inside]
        holders += [each for _, each in inside if isinstance(each, dict | list)]
    return found


def right_again(text: str) -> str:
    """Run key and digest as they would be; the text as it was where none can be computed."""
    try:
        record = json.loads(text)
        requested = {name: record[name] for name in ("task", "recipe", "evaluation", "seed")}
        requested |= {name: record["variant"][name] for name in ("family", "model_version", "settings")}
        requested["updates"] = record["budget"]["updates"]
        record["run_key"] = hashlib.sha256(_canonical(requested)).hexdigest()[:12]
        record.pop("sha256", None)
        record["sha256"] = hashlib.sha256(_canonical(record)).hexdigest()
        return json.dumps(record)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return text


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _bytes_changed(blob: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(blob))
    return chance.choice((blob[:at], blob[:at] + bytes([blob[at] ^ 1 << chance.randrange(8)]) + blob[at + 1 :], blob + b"{", b""))
