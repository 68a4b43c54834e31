"""Settings of the recurrent families, Row LSTM and Diagonal BiLSTM."""

from dataclasses import dataclass

from pixelbench.models.settings.common import NetworkSettings, check_least, check_maps, check_odd


@dataclass(frozen=True)
class DiagonalBiLSTMSettings(NetworkSettings):
    """`layers` counts the recurrent layers after the first convolution. `maps` is h, the size of a state; the path between layers has 2h.

    `residual` adds a layer's input to its output; `skip` lets every layer reach the head directly.
    """

    layers: int = 7
    maps: int = 16
    first_kernel: int = 7
    head_maps: int = 32
    residual: bool = True
    skip: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "maps", "head_maps")
        check_least(self, 0, "layers")
        check_odd(self, "first_kernel")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        super().check_fit(channels, height, width, levels)
        check_maps(self, channels, "maps", "head_maps")


@dataclass(frozen=True)
class RowLSTMSettings(DiagonalBiLSTMSettings):
    """As `DiagonalBiLSTMSettings`; `kernel` is the width of both convolutions along a row, input-to-state and state-to-state."""

    kernel: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_odd(self, "kernel")
