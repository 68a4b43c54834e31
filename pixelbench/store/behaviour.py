"""Two fingerprints of what the code does with a run, compared: which parts are not the same. No torch.

`pixelbench.experiments.verify.fingerprint` takes them and says what their groups are.
"""

import hashlib
import json
import math
from typing import Any

from pixelbench.store.json_values import is_list, is_table

#: Group → by how much its numbers may differ, relative to the largest of the part.
_TOLERANCES = {"numbers": 1e-9, "rough": 1e-4}
#: Parts that nobody takes any more and that say nothing of what a run is: networks under autocast, of runs that were trained without.
_FORMER = {"nats in bfloat16"}
_GROUPS = ("numbers", "rough", "exact", "libraries")


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The names of the parts that differ, or that only one of the two has; none where the behaviour is the same.

    Another version of torch is no difference by itself. What a library decides is compared where both were taken with the same one. Of
    two versions of the miniature nothing can be compared, and `miniature` is the only name. Where the code could not be run to its end,
    `failure` is one of the names, whatever the other fingerprint says.

    Raises:
        ValueError: one of the two is no fingerprint; the sentence says why.
    """
    for candidate in (one, other):
        if fault := _fault(candidate):
            raise ValueError(f"This is no fingerprint of behaviour: {fault}.")
    if one["miniature"] != other["miniature"]:
        return ["miniature"]
    found = ["failure"] if "failure" in one["exact"] | other["exact"] else []
    for group in ("numbers", "rough", "exact"):
        mine, theirs = one[group], other[group]
        names = [name for name in mine | theirs if name != "failure" and name not in _FORMER]
        found += [name for name in names if name not in mine or name not in theirs or not _same(mine[name], theirs[name], group)]
    shared = [name for name in one["libraries"] if name in other["libraries"]]
    found += [name for name in shared if one["libraries"][name] != other["libraries"][name]]
    return list(dict.fromkeys(found))  # a part that is a number in one alone is there twice


def _same(mine: Any, theirs: Any, group: str) -> bool:
    """`mine` and `theirs`: lists of numbers where the group has a tolerance."""
    if group not in _TOLERANCES:
        return mine == theirs
    if len(mine) != len(theirs):
        return False
    numbers: list[tuple[float, float]] = list(zip(mine, theirs, strict=True))
    allowed = _TOLERANCES[group] * max((abs(number) for pair in numbers for number in pair), default=0.0)
    return all(abs(a - b) <= allowed for a, b in numbers)


def _fault(candidate: Any) -> str | None:
    """Why this is no fingerprint, without a final stop; None where it is one."""
    if not is_table(candidate):
        return f"expected an object, got {type(candidate).__name__}"
    version = candidate.get("miniature")
    if not isinstance(version, int) or isinstance(version, bool):
        return f"'miniature' must be a whole number, got {version!r}"
    if not isinstance(candidate.get("torch"), str):
        return f"'torch' must be a version, got {candidate.get('torch')!r}"
    for group in _GROUPS:
        parts = candidate.get(group)
        if not is_table(parts):
            return f"'{group}' must be an object, got {parts!r:.40}"
        for name, values in parts.items() if group in _TOLERANCES else ():
            if not is_list(values) or not all(map(_is_number, values)):
                return f"'{group}' must hold lists of finite numbers, got {values!r:.40} as '{name}'"
    return None


def _is_number(value: Any) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def require_numbers(fingerprint: dict[str, Any]) -> dict[str, Any]:
    """The fingerprint, whose numbers `behaviour_name` can round; a record may hold any other part.

    Raises:
        ValueError: they are something else.
    """
    numbers = fingerprint.get("numbers", {})
    if not is_table(numbers) or not all(is_list(values) and all(map(_is_number, values)) for values in numbers.values()):
        raise ValueError("its numbers must be lists of finite numbers")
    return fingerprint


def behaviour_name(fingerprint: dict[str, Any]) -> str:
    """12 hex digits that tell codes of other behaviour apart at a glance, and group rows of a table; `differences` is what decides.

    Of seven digits of each number, so that rounding on another machine gives the same name but for one in a thousand.
    """
    rounded = {name: [f"{value:.6e}" for value in values] for name, values in fingerprint.get("numbers", {}).items()}
    text = json.dumps([rounded, fingerprint.get("exact")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
