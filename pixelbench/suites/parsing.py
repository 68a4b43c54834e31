"""Errors in a suite file as people read them: a dotted path and what was expected there, all of them at once."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from pixelbench.errors import nearest, shortened

T = TypeVar("T")

#: A dotted name and the values given under it; a later one wins.
Override = tuple[str, dict[str, Any]]

#: After so many nobody reads on.
_MOST_ERRORS = 100
_EXPECTED = {
    "bool_type": "true or false",
    "dataclass_type": "a table",
    "dict_type": "a table",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "string_type": "a text in quotes",
    "tuple_type": "a list",
}


def parse(kind: type[T], overrides: Sequence[Override], errors: list[str]) -> T | None:
    """The merged overrides as a `kind` (a dataclass), or None after adding each error under the dotted name of the one that made it."""
    values = {name: value for _, given in overrides for name, value in given.items()}
    try:
        text = json.dumps(values, default=str)
    except ValueError:  # a whole number that Python refuses to print; of a file, `impossible_numbers` has said where it is
        if not errors:
            errors.append(f"{overrides[0][0] or 'a setting'}: holds a number of thousands of digits")
        return None
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        for entry in error.errors(include_url=False)[:_MOST_ERRORS]:
            path = _dotted(entry["loc"], values)
            setting = entry["loc"][0] if entry["loc"] else _expectation(entry, kind).split()[0]  # "layers must be at least 0, got -1"
            owner = next((name for name, given in reversed(overrides) if setting in given), overrides[0][0])
            errors.append(": ".join(filter(None, (".".join(filter(None, (owner, path))), _expectation(entry, kind)))))
        return None


def impossible_numbers(values: Any, path: str = "") -> Iterator[str]:
    """An error for each `nan` and `inf`, which JSON, so the record, has not, and for each whole number of more than 64 bits."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield from impossible_numbers(value, f"{path}.{name}" if path else name)
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from impossible_numbers(value, f"{path}.{item_name(value, index)}")
    elif isinstance(values, float) and not math.isfinite(values):
        yield f"{path}: expected a finite number, got {values}"
    elif isinstance(values, int) and not -(2**63) <= values < 2**63:
        yield f"{path}: expected a whole number of at most 64 bits, so below 2^63, got one of {_digits(values)} digits"


def written(value: Any) -> str:
    """A value as part of a sentence, as JSON."""
    try:
        return shortened(json.dumps(value, default=str, ensure_ascii=False))
    except ValueError:  # a whole number of thousands of digits
        return "a number beyond all bounds"


def item_name(value: Any, index: int) -> str:
    """The name of a list's entry in a dotted path: by its name, a claim by what it is about, others by their place."""
    entry = value if isinstance(value, dict) else {}
    about = [entry[key] for key in ("task", "variant") if isinstance(entry.get(key), str)]
    name = entry.get("name", "/".join(about) if len(about) == 2 else None)
    return shortened(name, 60) if isinstance(name, str) and name else f"[{index}]"


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(kind)


def _dotted(location: Sequence[int | str], values: Any) -> str:
    """`("variant", 3, "family")` → `variant.gated-pixelcnn.family`: entries of a list go by their name where they have one."""
    parts = []
    for part in location:
        inside = values[part] if _has(values, part) else None
        parts.append(item_name(inside, part) if isinstance(part, int) else shortened(part, 60))
        values = inside
    return ".".join(parts)


def _has(values: Any, part: int | str) -> bool:
    return (isinstance(values, list) and isinstance(part, int)) or (isinstance(values, dict) and part in values)


def _expectation(entry: Any, kind: type) -> str:
    error = entry["type"]
    if error in _EXPECTED:
        return f"expected {_EXPECTED[error]}, got {written(entry['input'])}"
    if error == "literal_error":
        given, expected = shortened(str(entry["input"])), entry["ctx"]["expected"]
        near = nearest(given, re.findall("'(.*?)'", expected))
        return f"expected {expected}, got '{given}'" + (f"; did you mean '{near}'?" if near else "")
    if error == "unexpected_keyword_argument":
        given = str(entry["loc"][-1])
        near = nearest(given, _names(kind) - {given})  # which may be the name of another table's setting
        return "there is no such setting" + (f"; did you mean '{near}'?" if near else "")
    if error in ("missing", "missing_argument"):
        return "is missing"
    return entry["msg"].removeprefix("Value error, ")


def _digits(number: int) -> int:
    """Of a number so long that Python refuses to print it, nearly."""
    return len(str(abs(number))) if abs(number) < 10**4000 else int(number.bit_length() * math.log10(2)) + 1


@cache
def _names(kind: Any) -> frozenset[str]:
    """All that may be written in a table of this type or in one inside it."""
    if not is_dataclass(kind):
        return frozenset().union(*map(_names, get_args(kind)))
    names: set[str] = set()
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name.startswith("_"):
            continue
        names.add(next((extra.alias for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, FieldInfo) and extra.alias), name))
        names |= _names(hint)
    return frozenset(names)
