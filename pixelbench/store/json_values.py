"""Values as a JSON or TOML parser gives them, with a type once they have been looked at."""

from typing import Any, TypeGuard


def is_table(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it is an object (a table), whose names are texts."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether it is a list, of whatever."""
    return isinstance(value, list)
