"""Settings of PixelVAE, and of the families with latents in general."""

from dataclasses import dataclass
from typing import Literal

from pixelbench.key_fields import added_later
from pixelbench.models.settings.common import NetworkSettings, check_least, check_maps, check_odd
from pixelbench.models.settings.gated import ConditionAt, GatedPixelCNNSettings

Decoder = Literal["without-upsampling", "straight", "spatial", "with-upsampling"]

#: Where z enters the Gated PixelCNN.
_CONDITION_AT: dict[Decoder, ConditionAt] = {
    "without-upsampling": "layers-and-head",
    "straight": "layers",
    "spatial": "layers",
    "with-upsampling": "first",
}
#: More is meant by nobody: a warm-up is not longer than a training, and no image has so many nats for each of its latents.
_MOST = {"kl_warmup_epochs": 1e6, "free_bits": 1e4}
#: The smallest images: below, there is nothing for a strided encoder to do.
LEAST_SIZE = 8
#: The smallest images whose quarter has 4x4 places.
LEAST_SIZE_OF_TWO_LEVELS = 13


@dataclass(frozen=True)
class LatentSettings(NetworkSettings):
    """Settings of every family with latents: `latent`, how many numbers z has, and how it is inferred and paid for.

    `kl_warmup`: in how many updates the weight of the KL term rises from 0 to 1; `kl_warmup_epochs`: the same in epochs.

    `free_bits`: so many nats of each latent cost nothing in training, as a mean over the batch (Kingma et al. 2016, eq. 15); of a map all
    its places together. `weight_norm`: of every layer, those of the encoder too.
    """

    latent: int = 16
    encoder_maps: int = 32
    kl_warmup: int = 0
    kl_warmup_epochs: float = added_later(0.0)
    free_bits: float = added_later(0.0)
    weight_norm: bool = added_later(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "latent", "encoder_maps")
        check_least(self, 0, "kl_warmup", "kl_warmup_epochs", "free_bits")
        for name, most in _MOST.items():
            if not getattr(self, name) <= most:
                raise ValueError(f"{name} must be at most {most:,}, got {getattr(self, name):,}")
        if self.kl_warmup and self.kl_warmup_epochs:
            raise ValueError("kl_warmup counts updates and kl_warmup_epochs epochs; say one of the two")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        super().check_fit(channels, height, width, levels)
        if min(height, width) < LEAST_SIZE:
            raise ValueError(
                f"images must be at least {LEAST_SIZE}x{LEAST_SIZE}, so that an encoder has something to encode; got {height}x{width}"
            )

    @property
    def whole_batch(self) -> str | None:
        return "free_bits" if self.free_bits else None


@dataclass(frozen=True)
class VAESettings(LatentSettings):
    """A factorised decoder: `maps` at image size, from which a 1x1 convolution makes the parameters of each sub-pixel.

    `colour_conditioning` couples the colours of a pixel in the head.
    """

    colour_conditioning: bool = False
    maps: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "maps")


@dataclass(frozen=True)
class PixelVAESettings(LatentSettings):
    """How z reaches the pixels (`decoder`), how z is inferred, and the settings of the Gated PixelCNN that draws them.

    `decoder`: `without-upsampling`, z biases every gated layer and the head; `straight`, the gated layers alone; `spatial`, a deconvolution
    network makes `condition_maps` maps of image size that enter every layer (2016b, eq. 5); `with-upsampling`, these maps stand beside the
    image, at the first layer alone. `condition_maps = 0` takes as many as `maps`.

    `hierarchy = 2`: the pixels depend on a map z1 with `latent_maps` numbers a place (0: as many as `latent`), and z1 on a vector z2 of
    `latent` numbers.
    """

    decoder: Decoder = "without-upsampling"
    hierarchy: Literal[1, 2] = 1
    latent_maps: int = 0
    condition_maps: int = 0
    layers: int = 7
    maps: int = 64
    kernel: int = 3
    first_kernel: int = 7
    head_maps: int = 64
    gates: bool = True
    skip: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "maps", "head_maps")
        check_least(self, 0, "latent_maps", "condition_maps", "layers")
        check_odd(self, "kernel", "first_kernel")
        if self.condition_maps and not self.upsamples:
            raise ValueError(f"condition_maps = {self.condition_maps} has no meaning with decoder = '{self.decoder}'")
        if self.latent_maps and self.hierarchy == 1:
            raise ValueError(f"latent_maps = {self.latent_maps} has no meaning with hierarchy = 1")
        if self.hierarchy == 2 and not self.upsamples:
            raise ValueError(f"hierarchy = 2 needs decoder = 'spatial' or 'with-upsampling', got '{self.decoder}'")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        super().check_fit(channels, height, width, levels)
        check_maps(self, channels, "maps", "head_maps")
        if self.hierarchy == 2 and min(height, width) < LEAST_SIZE_OF_TWO_LEVELS:
            least = f"{LEAST_SIZE_OF_TWO_LEVELS}x{LEAST_SIZE_OF_TWO_LEVELS}"
            raise ValueError(f"hierarchy = 2 needs images of at least {least}, whose quarter has 4x4 places; got {height}x{width}")

    @property
    def upsamples(self) -> bool:
        """Maps of image size reach the decoder, not a vector."""
        return self.decoder in ("spatial", "with-upsampling")

    @property
    def decoder_settings(self) -> GatedPixelCNNSettings:
        """The Gated PixelCNN that p(x|z) is."""
        size = self.latent if not self.upsamples else self.condition_maps or self.maps
        return GatedPixelCNNSettings(
            layers=self.layers,
            maps=self.maps,
            kernel=self.kernel,
            first_kernel=self.first_kernel,
            head_maps=self.head_maps,
            colour_conditioning=self.colour_conditioning,
            input_encoding=self.input_encoding,
            gates=self.gates,
            skip=self.skip,
            head=self.head,
            components=self.components,
            weight_norm=self.weight_norm,
            condition="map" if self.upsamples else "vector",
            condition_size=size,
            condition_at=_CONDITION_AT[self.decoder],
        )
