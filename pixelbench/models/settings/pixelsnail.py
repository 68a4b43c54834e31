"""Settings of PixelSNAIL."""

from dataclasses import dataclass

from pixelbench.models.settings.common import HeadName, NetworkSettings, check_least
from pixelbench.models.settings.pixelcnn_pp import check_dropout


@dataclass(frozen=True)
class PixelSNAILSettings(NetworkSettings):
    """`blocks` repetitions of `layers` gated residual layers and one attention; keys have `key_maps` maps, values `value_maps`."""

    blocks: int = 2
    layers: int = 2
    maps: int = 64
    key_maps: int = 16
    value_maps: int = 32
    dropout: float = 0.5
    head: HeadName = "logistic-mixture"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "blocks", "maps", "key_maps", "value_maps")
        check_least(self, 0, "layers")
        check_dropout(self.dropout)
