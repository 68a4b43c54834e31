"""Settings of PixelCNN++."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from pixelbench.key_fields import added_later
from pixelbench.models.settings.common import HeadName, NetworkSettings, check_least


@dataclass(frozen=True)
class PixelCNNPPSettings(NetworkSettings):
    """`layers` counts the gated residual blocks of a stream at one resolution on the way down; on the way up there are as many or one more.

    `scales` is the number of resolutions, each half the one before; 3 is the paper's, 1 its small networks without down-sampling. `skip`
    are the short-cuts from the way down to the way up.

    `condition = "class"` adds a bias of each of so many `classes` to every block (Salimans et al. 2017, section 3.2).

    Of the small networks (section 3.3): `middle_layers`, so many more blocks between the way down and the way up, for a number of blocks
    that is odd; `nin_blocks`, so many blocks of 1x1 convolutions between any two others; `channel_sets`, so many sets of maps after each
    block, of which each reads the sets before it through a block of 1x1 convolutions.
    """

    layers: int = 2
    maps: int = 64
    scales: int = 3
    dropout: float = 0.5
    skip: bool = True
    head: HeadName = "logistic-mixture"
    condition: Literal["none", "class"] = "none"
    classes: int = 0
    middle_layers: int = added_later(0)
    nin_blocks: int = added_later(0)
    channel_sets: int = added_later(1)

    most: ClassVar[Mapping[str, int]] = {**NetworkSettings.most, "middle_layers": 10_000, "nin_blocks": 10_000}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "layers", "maps", "scales", "channel_sets")
        check_least(self, 0, "middle_layers", "nin_blocks")
        if self.channel_sets > self.maps:
            raise ValueError(f"channel_sets must be at most maps, {self.maps}, so that each set has a map, got {self.channel_sets}")
        if self.scales > 8:
            raise ValueError(f"scales must be at most 8, got {self.scales}")
        check_dropout(self.dropout)
        check_least(self, 0, "classes")
        if self.condition == "class" and self.classes < 2:
            raise ValueError(f"classes must be at least 2 with condition = 'class', got {self.classes}")
        if self.condition == "none" and self.classes:
            raise ValueError(f"classes = {self.classes} has no meaning with condition = 'none'")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        super().check_fit(channels, height, width, levels)
        step = 2 ** (self.scales - 1)
        if height % step or width % step:
            fitting = " or ".join(f"{h}x{w}" for h, w in _nearest(height, width, step))
            raise ValueError(
                f"scales = {self.scales} needs height and width divisible by {step}, the images are {height}x{width}; "
                f"crop or pad them to {fitting}, or choose scales = {_most_scales(height, width)}"
            )


def check_dropout(dropout: float) -> None:
    """Raise ValueError where `dropout` is no probability of leaving out, or would leave out everything."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout:g}")


def _nearest(height: int, width: int, step: int) -> list[tuple[int, int]]:
    """The next smaller size, where there is one, and the next larger one."""
    smaller, larger = (height // step * step, width // step * step), (-(-height // step) * step, -(-width // step) * step)
    return [smaller, larger] if min(smaller) else [larger]


def _most_scales(height: int, width: int) -> int:
    """The largest `scales` that halve both sizes evenly."""
    scales = 1
    while height % 2**scales == 0 and width % 2**scales == 0:
        scales += 1
    return scales
