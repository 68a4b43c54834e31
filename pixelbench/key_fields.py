"""Which fields of a recipe, of settings or of an evaluation enter the run key: all but the later ones that are left as before."""

from dataclasses import Field, field, fields
from typing import Any

_LATER = "added after runs were stored"


def added_later(as_before: Any) -> Any:
    """The default of a dataclass field that came when runs were stored already: the value at which all goes on as before.

    At this value the field is no part of a run key, so that stored runs are found under their old ones; and what is rebuilt from a record
    that lacks it has this value. So it can never be another: what is newer and better is said in the suites.
    """
    return field(default=as_before, metadata={_LATER: True})


def key_values(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass as plain JSON values, but for later ones that are left as before."""
    return {one.name: _plain(getattr(settings, one.name)) for one in fields(settings) if not _is_as_before(settings, one)}


def _is_as_before(settings: Any, one: Field[Any]) -> bool:
    return _LATER in one.metadata and getattr(settings, one.name) == one.default


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, dict) else value
