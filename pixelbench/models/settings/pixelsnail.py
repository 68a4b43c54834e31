"""Settings of PixelSNAIL."""

from dataclasses import dataclass

from pixelbench.models.settings.common import HeadName, InputEncoding, Settings, check_head, check_least
from pixelbench.models.settings.pixelcnn_pp import check_dropout


@dataclass(frozen=True)
class PixelSNAILSettings(Settings):
    """`blocks` repetitions of `layers` gated residual layers and one attention; keys have `key_maps` maps, values `value_maps`.

    `components` are those of a logistic mixture.
    """

    blocks: int = 2
    layers: int = 2
    maps: int = 64
    key_maps: int = 16
    value_maps: int = 32
    dropout: float = 0.5
    colour_conditioning: bool = True
    input_encoding: InputEncoding = "scalar"
    head: HeadName = "logistic-mixture"
    components: int = 10

    def __post_init__(self) -> None:
        check_least(self, 1, "blocks", "maps", "key_maps", "value_maps", "components")
        check_least(self, 0, "layers")
        check_dropout(self.dropout)

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        check_head(self.head, levels)
