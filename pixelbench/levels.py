"""How many values a sub-pixel can have, and which integers hold them."""

from typing import Literal

#: As many as 16 bits hold: images have 256, maps of codes some hundreds or thousands. A network of more has no memory for its outputs.
MOST_LEVELS = 1 << 16
#: As many as a byte holds, which is what image formats store of a value.
MOST_CODED = 1 << 8


def integers_for(levels: int) -> Literal["uint8", "int16", "int32"]:
    """The smallest type that holds 0 … levels-1, by the name that it has in numpy and torch; torch computes little with uint16."""
    return "uint8" if levels <= 1 << 8 else "int16" if levels <= 1 << 15 else "int32"
