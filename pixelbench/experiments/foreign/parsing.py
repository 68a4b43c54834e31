"""Options of a check as people write them, on a command line or in a file, one by one → values. No torch."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from pixelbench.errors import UserError, video_shape


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`["layers=4", "head=softmax"]` → values as JSON has them, or text.

    Raises:
        UserError: one has no name or no `=`.
    """
    parsed: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not (name and equals):
            raise UserError(f"--set takes name=value, for example --set layers=4; got '{setting}'.")
        try:
            parsed[name] = json.loads(value)
        except ValueError:
            parsed[name] = value
    return parsed


def parse_shape(text: str | None) -> tuple[int, int, int] | None:
    """`3,32,32` and `3x32x32` → (3, 32, 32); of a sequence `100` or `2,100` → (1, 1, 100), (2, 1, 100); None stays None.

    Raises:
        UserError: anything else.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.replace("x", ",").split(",")]
    sizes = all(part.isdecimal() and 0 < int(part) < 10**6 for part in parts)
    if sizes and len(parts) == 4:
        raise video_shape(list(map(int, parts)))
    if not 1 <= len(parts) <= 3 or not sizes:
        raise UserError(f"A shape is channels, height and width, for example 3,32,32; got '{text}'.")
    given = list(map(int, parts))
    channels, height = (given[0] if len(given) > 1 else 1), (given[1] if len(given) == 3 else 1)
    return channels, height, given[-1]


def parse_size(text: str | None) -> int | None:
    """`4GiB`, `500 MB`, `2G` → bytes; None stays None.

    Raises:
        UserError: anything else.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([KMGT])(i?)B?\s*", text, re.IGNORECASE | re.ASCII)
    size = float(found[1]) * (1024 if found[3] else 1000) ** (1 + "KMGT".index(found[2].upper())) if found else 0.0
    if not 1 <= size < 2**60:
        raise UserError(f"--memory is a size such as 4GiB or 500MiB; got '{text}'.")
    if sys.platform != "linux":
        raise UserError("--memory needs Linux, where a limit on a process's memory holds; leave it out here.")
    return int(size)
