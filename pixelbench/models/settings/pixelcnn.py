"""Settings of the one-stack families."""

from dataclasses import dataclass

from pixelbench.models.settings.common import (
    FirstLayer,
    HeadName,
    InputEncoding,
    Settings,
    check_head,
    check_least,
    check_maps,
    check_odd,
)


@dataclass(frozen=True)
class PixelCNNSettings(Settings):
    """`layers` counts the blocks after the first convolution. `maps` is h; the residual path has 2h.

    `first_layer` is `causal`, or one of two planted faults: `residual` (a residual connection around the first layer) and `mask-b`
    (mask B where mask A belongs). Both let a sub-pixel see itself. `skip` lets every layer reach the head directly. `components` are those
    of a logistic mixture.
    """

    layers: int = 7
    maps: int = 64
    kernel: int = 3
    first_kernel: int = 7
    head_maps: int = 64
    colour_conditioning: bool = True
    first_layer: FirstLayer = "causal"
    input_encoding: InputEncoding = "scalar"
    residual: bool = True
    skip: bool = False
    head: HeadName = "softmax"
    components: int = 10

    def __post_init__(self) -> None:
        check_least(self, 1, "maps", "head_maps", "components")
        check_least(self, 0, "layers")
        check_odd(self, "kernel", "first_kernel")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        check_head(self.head, levels)
        check_maps(self, channels, "maps", "head_maps")


@dataclass(frozen=True)
class PlainPixelCNNSettings(Settings):
    """`layers` counts all masked convolutions, the first one included; the head is one more of 1x1."""

    layers: int = 7
    maps: int = 64
    kernel: int = 3
    first_kernel: int = 7
    colour_conditioning: bool = False
    input_encoding: InputEncoding = "scalar"
    head: HeadName = "softmax"
    components: int = 10

    def __post_init__(self) -> None:
        check_least(self, 1, "layers", "maps", "components")
        check_odd(self, "kernel", "first_kernel")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        check_head(self.head, levels)
        check_maps(self, channels, "maps")
