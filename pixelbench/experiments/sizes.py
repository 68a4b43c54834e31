"""How many weights the networks of the papers have, at the settings that the papers state: stored numbers, without torch."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from pixelbench.models.registry import Family, Published

#: Written by `python -m pixelbench.experiments.counting`.
STORED = Path(__file__).with_name("published_sizes.json")


def published_sizes(family: Family) -> list[dict[str, Any]]:
    """For each entry of `family.published`: `where`, `shape` (C, H, W), `levels`, all `settings`, and `parameters`.

    Networks whose settings are not those of a stored number, as of another package, are built and counted now.

    Raises:
        UserError: the settings do not fit the family or the images.
    """
    return [
        {
            "where": entry.where,
            "shape": list(entry.shape),
            "levels": entry.levels,
            "settings": family.parse(entry.settings).as_dict(),
            "parameters": _parameters(family, entry),
        }
        for entry in family.published
    ]


def settings_digest(family: Family, entry: Published) -> str:
    """16 hex digits of all that a network's size follows from: what is built, its version, the images, and every setting."""
    settings = family.parse(entry.settings).as_dict()
    asked = [family.name, family.build, family.version, list(entry.shape), entry.levels, settings]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def stored_sizes() -> dict[str, dict[str, Any]]:
    """By the digest of the settings: `family`, `where` and `parameters`."""
    return json.loads(STORED.read_text(encoding="utf-8"))


def _parameters(family: Family, entry: Published) -> int:
    known = _stored().get(settings_digest(family, entry)) if family.is_own else None
    if known is not None:
        return known["parameters"]
    from pixelbench.experiments.counting import count

    return count(family, entry)


@cache
def _stored() -> dict[str, dict[str, Any]]:
    return stored_sizes()
