"""Values as a JSON or TOML parser gives them, with a type once they have been looked at, and what is wrong with them."""

from typing import Any, TypeGuard

from pydantic import ValidationError

#: Letters of an error that a sentence has room for.
_LONGEST = 120


def is_table(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it is an object (a table), whose names are texts."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether it is a list, of whatever."""
    return isinstance(value, list)


def in_short(error: Exception) -> str:
    """What is wrong with a file, as part of a sentence: of several errors in it the first, with its dotted path."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False)[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    else:
        said = str(error) or type(error).__name__
    said = ascii(" ".join(said.split()))[1:-1]
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."
