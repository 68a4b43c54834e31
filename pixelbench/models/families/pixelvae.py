"""PixelVAE: latents for what an image is, a few autoregressive layers for how it looks (Gulrajani et al. 2017, sections 3 and 3.1).

p(x|z) is a conditional `GatedPixelCNN`, so that it has both modes, every head, and its order. For the bounds of the likelihood and all else
that does not depend on the decoder see `pixelbench.models.families.latent_variable`.

| unsaid | here |
| --- | --- |
| encoder and deconvolution network | those of the authors' MNIST code, with halvings until a side is at most 4: any size from 8x8 |
| concatenation with the image (`with-upsampling`) | a 1x1 convolution of z's maps, added in the first layer: one convolution of both |
| head of the pixel decoder: two gated 1x1 layers in the code | the head of `gated-pixelcnn` |
| the decoder of "PixelVAE", beside "Gated PixelVAE" (Table 1) | `gates = false`: ReLU in both stacks, the rest alike |
| how the encoder sees values | as the decoder does: `input_encoding` |
| bounds of log sigma | within ±7, by tanh |
| weight normalisation in the code | `weight_norm = true`, of every layer; its gains start as the lengths of the weights |

`straight` is the PixelCNN auto-encoder of van den Oord et al. 2016b (section 2.3) with this prior, `spatial` the same with their eq. 5.
Two levels of latents: see `pixelbench.models.layers.latent_prior`.
"""

from torch import nn

from pixelbench.models.families.gated_pixelcnn import GatedPixelCNN
from pixelbench.models.families.latent_variable import LatentVariableModel
from pixelbench.models.layers.latent import OneLevel, Up
from pixelbench.models.layers.latent_prior import TwoLevels
from pixelbench.models.settings.pixelvae import PixelVAESettings
from pixelbench.models.weight_norm import normalise_weights


class PixelVAE(LatentVariableModel):
    """See the module. As a `condition` goes z: (B, latent), or with two levels z1: (B, latent_maps, h, w)."""

    settings: PixelVAESettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: PixelVAESettings):
        super().__init__(channels, height, width, levels, settings)
        s, size = settings, (height, width)
        self.decoder = decoder = GatedPixelCNN(channels, height, width, levels, s.decoder_settings)
        self.output, self.encoding = decoder.output, decoder.encoding
        inputs = len(self.encoding.colours)
        if s.hierarchy == 1:
            self.latents = OneLevel(inputs, size, s.encoder_maps, s.latent)
        else:
            self.latents = TwoLevels(inputs, size, s.encoder_maps, s.latent, s.latent_maps or s.latent, s.maps)
        self.upsampling = nn.Identity()
        if s.upsamples:
            maps = s.decoder_settings.condition_size
            self.upsampling = Up(self.latents.shapes[0], self.latents.up_sizes, self.latents.up_widths, maps)
        if s.weight_norm:
            normalise_weights(self)
