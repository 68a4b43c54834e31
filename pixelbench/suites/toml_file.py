"""TOML files that people write, and that may hold anything: read within bounds, so that none breaks the reader. No torch."""

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixelbench.errors import UserError, first_line, shortened

#: The longest file that ships has 30 kB; so many take the parser half a second.
MOST_BYTES = 512 << 10
#: Tables within tables: `variant.on.TASK.budget.NAME.settings.NAME` is the deepest place that means something.
MOST_DEPTH = 16
#: A part of a dotted key; no part is read twice, so that the search takes no longer than the text.
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
#: The parser's time grows with the square of a key's parts.
_LONG_KEY = re.compile(rf"(?<![\w-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{4 * MOST_DEPTH},}}+")
#: As many digits as Python reads, which are far more than any number has.
_LONG_NUMBER = re.compile(r"[0-9_]{4300,}+")


def read_toml(path: Path, called: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """The contents of a TOML file.

    Args:
        path: the file.
        called: what a sentence calls it, such as `Suite file`.
        parse_float: as of `tomllib.loads`.

    Raises:
        UserError: unreadable, too long, not UTF-8, no TOML, or nested too deep.
    """
    text = read_text(path, called)
    long_key = _LONG_KEY.search(text)
    if long_key:
        where = f"the key '{shortened(long_key[0], 30)}' (line {text.count(chr(10), 0, long_key.start()) + 1})"
        raise UserError(f"{called} '{path}' is not of any use: {where} has more parts than any table has tables in it; fix it there.")
    try:
        values = tomllib.loads(text, parse_float=parse_float)
    except RecursionError:
        raise UserError(f"{called} '{path}' is not valid TOML: its lists or tables are nested without end; fix it there.") from None
    except ValueError as error:  # beside TOML's own errors: whole numbers of thousands of digits, dates that are none
        raise UserError(f"{called} '{path}' is not valid TOML: {_reason(text, error)}; fix it there.") from None
    deep = _deep_path(values)
    if deep is not None:
        raise UserError(f"{called} '{path}' has an error: {shortened(deep)}: is nested deeper than {MOST_DEPTH} tables or lists.")
    return values


def read_text(path: Path, called: str) -> str:
    """The file's text.

    Raises:
        UserError: unreadable, too long, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            blob = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a zero byte in its name
        why = getattr(error, "strerror", None) or first_line(error)
        raise UserError(f"{called} '{path}' cannot be read: {why}; fix its permissions or name another.") from None
    if len(blob) > MOST_BYTES:
        raise UserError(f"{called} '{path}' has more than {MOST_BYTES >> 10} kB, which is no such file; name another.")
    try:
        return blob.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise UserError(f"{called} '{path}' is not UTF-8 text; save it as UTF-8.") from None


def is_file(path: Path) -> bool:
    """Whether there is such a file; False of a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def files_beside(path: Path) -> list[str]:
    """The names of the TOML files in the folder of `path`; none where there is no such folder."""
    try:
        return [name for name in os.listdir(path.parent) if name.endswith(".toml")]
    except (OSError, ValueError):
        return []


def _reason(text: str, error: ValueError) -> str:
    """The parser's words, but of a number too long for Python, which says what a programmer may do."""
    found = None if isinstance(error, tomllib.TOMLDecodeError) else _LONG_NUMBER.search(text)
    if found is None:
        return shortened(first_line(error), 200)
    return f"a number of {len(found[0]):,} digits (line {text.count(chr(10), 0, found.start()) + 1})"


def _deep_path(values: dict[str, Any]) -> str | None:
    """The dotted path of the first table or list that lies too deep; None where none does."""
    holders: list[tuple[str, Any, int]] = [("", values, 0)]
    while holders:
        path, holder, depth = holders.pop()
        if depth > MOST_DEPTH:
            return path
        inside = holder.items() if isinstance(holder, dict) else ((f"[{index}]", value) for index, value in enumerate(holder))
        holders += [(f"{path}.{name}" if path else name, value, depth + 1) for name, value in inside if isinstance(value, dict | list)]
    return None
