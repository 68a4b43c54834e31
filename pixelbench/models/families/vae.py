"""A convolutional VAE: sub-pixels that know nothing of each other for a given z (Kingma and Welling 2014; Gulrajani et al. 2017, Table 1).

The row "Convolutional VAE" of PixelVAE's table: its encoder and its deconvolution network, and no autoregressive layer. For the bounds of
the likelihood see `pixelbench.models.families.latent_variable`.

| unsaid | here |
| --- | --- |
| network | that of `pixelvae`, whose code says it of PixelVAE: the encoder, and its mirror by transposed convolutions up to the image |
| from the last maps to the pixels | ReLU, a 1x1 convolution of `maps` maps to the head's parameters |
| number of latents | 64, the default of the authors' script; `latent` |
| weight normalisation in the code | `weight_norm = true`, of every layer, as in `pixelvae` |

`colour_conditioning = true` couples the colours of a pixel in the head, as PixelCNN++ does (Salimans et al. 2017, section 2.2); by itself
they are independent for a given z, as all sub-pixels are.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel, InputEncoding
from pixelbench.models.families.latent_variable import LatentVariableModel
from pixelbench.models.heads import Output, make_output, outside_autocast
from pixelbench.models.layers.causal import initialise
from pixelbench.models.layers.latent import OneLevel, Up
from pixelbench.models.settings.pixelvae import VAESettings
from pixelbench.models.weight_norm import normalise_weights


class VAE(LatentVariableModel):
    """See the module. As a `condition` goes z: (B, latent)."""

    settings: VAESettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: VAESettings):
        super().__init__(channels, height, width, levels, settings)
        s = settings
        self.encoding = InputEncoding(s.input_encoding, channels, levels)
        self.decoder = decoder = FactorisedDecoder(channels, height, width, levels, s)
        self.output = decoder.output
        self.latents = latents = OneLevel(len(self.encoding.colours), (height, width), s.encoder_maps, s.latent)
        self.upsampling = Up(latents.shapes[0], latents.up_sizes, latents.up_widths, s.maps)
        if s.weight_norm:
            normalise_weights(self)


class FactorisedDecoder(AutoregressiveModel):
    """p(x|z) of sub-pixels that are independent for given maps (B, maps, H, W), but for the colours that the head couples.

    `forward`: integer images (B, C, H, W), of which only their number counts, and maps → raw outputs of the head.
    """

    conditional = True

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: VAESettings):
        super().__init__(channels, height, width, levels, settings)
        s = settings
        self.output = make_output(s.head, channels, levels, coupled=s.colour_conditioning, components=s.components)
        self.head = nn.Conv2d(s.maps, self.output.maps, 1)
        assert self.head.bias is not None
        initialise(self.head.weight, self.head.bias, fan_in=s.maps / 2)  # what it reads are ReLUs

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.output.raw(self.parameters_at(condition).expand(len(images), -1, -1, -1))

    def parameters_at(self, maps: Tensor | None) -> Tensor:
        """The head's output maps (B, maps, H, W)."""
        assert maps is not None, "a latent-variable model refuses to go on without z"
        return outside_autocast(self.head, F.relu(maps))

    def stepper(self, batch: int, condition: Tensor | None = None) -> "FactorisedStepper":
        return FactorisedStepper(self.output, self.parameters_at(condition).expand(batch, -1, -1, -1), self.channels)


class FactorisedStepper:
    """A `FactorisedDecoder` in raster order: everything is known beforehand, but for the colours of the pixel."""

    def __init__(self, output: Output, maps: Tensor, channels: int):
        self.output, self.maps, self.row = output, maps, -1
        self.values = maps.new_zeros(len(maps), channels).long()

    def begin_row(self) -> None:
        self.row += 1

    def logits(self, column: int, colour: int) -> Tensor:
        return self.output.pixel_log_probs(self.maps[:, :, self.row, column], self.values, colour)

    def put(self, column: int, colour: int, values: Tensor) -> None:
        self.values[:, colour] = values
