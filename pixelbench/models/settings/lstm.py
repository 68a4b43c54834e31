"""Settings of the recurrent families, Row LSTM and Diagonal BiLSTM."""

from dataclasses import dataclass

from pixelbench.models.settings.common import HeadName, InputEncoding, Settings, check_head, check_least, check_maps, check_odd


@dataclass(frozen=True)
class DiagonalBiLSTMSettings(Settings):
    """`layers` counts the recurrent layers after the first convolution. `maps` is h, the size of a state; the path between layers has 2h.

    `residual` adds a layer's input to its output; `skip` lets every layer reach the head directly. `components` are those of a logistic
    mixture.
    """

    layers: int = 7
    maps: int = 16
    first_kernel: int = 7
    head_maps: int = 32
    colour_conditioning: bool = True
    input_encoding: InputEncoding = "scalar"
    residual: bool = True
    skip: bool = False
    head: HeadName = "softmax"
    components: int = 10

    def __post_init__(self) -> None:
        check_least(self, 1, "maps", "head_maps", "components")
        check_least(self, 0, "layers")
        check_odd(self, "first_kernel")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        check_head(self.head, levels)
        check_maps(self, channels, "maps", "head_maps")


@dataclass(frozen=True)
class RowLSTMSettings(DiagonalBiLSTMSettings):
    """As `DiagonalBiLSTMSettings`; `kernel` is the width of both convolutions along a row, input-to-state and state-to-state."""

    kernel: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_odd(self, "kernel")
