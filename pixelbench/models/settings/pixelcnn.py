"""Settings of the one-stack families."""

from dataclasses import dataclass

from pixelbench.key_fields import added_later
from pixelbench.models.settings.common import FirstLayer, NetworkSettings, check_least, check_maps, check_odd


@dataclass(frozen=True)
class PixelCNNSettings(NetworkSettings):
    """`layers` counts the blocks after the first convolution. `maps` is h; the residual path has 2h.

    `first_layer` is `causal`, or one of two leaks by design: `residual` (a residual connection around the first layer) and `mask-b`
    (mask B where mask A belongs). Both let a sub-pixel see itself. `skip` lets every layer reach the head directly.
    `weight_norm` normalises the weights of every layer (Salimans and Kingma 2016).
    """

    layers: int = 7
    maps: int = 64
    kernel: int = 3
    first_kernel: int = 7
    head_maps: int = 64
    first_layer: FirstLayer = "causal"
    residual: bool = True
    skip: bool = False
    weight_norm: bool = added_later(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "maps", "head_maps")
        check_least(self, 0, "layers")
        check_odd(self, "kernel", "first_kernel")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        super().check_fit(channels, height, width, levels)
        check_maps(self, channels, "maps", "head_maps")


@dataclass(frozen=True)
class PlainPixelCNNSettings(NetworkSettings):
    """`layers` counts all masked convolutions, the first one included; the head is one more of 1x1."""

    layers: int = 7
    maps: int = 64
    kernel: int = 3
    first_kernel: int = 7
    colour_conditioning: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "layers", "maps")
        check_odd(self, "kernel", "first_kernel")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        super().check_fit(channels, height, width, levels)
        check_maps(self, channels, "maps")
