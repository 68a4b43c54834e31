"""Two levels of latents: a map z1 that is drawn place by place, and a vector z2 above it (Gulrajani et al. 2017, section 3.1, Figure 2).

p(z2) = N(0, I). p(z1|z2) is autoregressive over the places of the map in raster order; at a place it is a diagonal Gaussian, so that the
numbers of one place are independent of each other (section 3.1). q(z1|x) and q(z2|x) are diagonal Gaussians of one encoder, each given the
image alone.

| unsaid, or contradicting | here |
| --- | --- |
| size of z1: the paper says 8x8 for 64 pixels, the code 8x8 for 32 and 16x16 for 64 | a quarter of the image, as in the code |
| network of p(z1|z2) | the code's: 5x5 mask A, then gated residual blocks 3x3 mask B, one stack; three of them, as wide as the decoder |
| how z2 enters it | a deconvolution network to the size of z1, a 1x1 convolution of that in every gated layer |
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.causal import CausalConv2d, gate
from pixelbench.models.heads import outside_autocast
from pixelbench.models.latents import Down, Gaussian, Size, Up, convolution, halvings, linear, widths

#: The map is the image after so many steps of stride 2.
_STEPS_TO_MAP = 2
_BLOCKS, _FIRST_KERNEL, _KERNEL, _OUT_BOUND = 3, 5, 3, 0.02


class LatentPrior(nn.Module):
    """p(z1|z2): every place of z1 given the earlier places and z2."""

    def __init__(self, latent: int, latent_maps: int, maps: int, sizes: list[Size], up_widths: list[int]):
        super().__init__()
        place, wide = [0] * latent_maps, [0] * maps  # one "colour": the numbers of a place do not see each other
        self.above = Up((latent,), sizes, up_widths, maps)
        self.first = CausalConv2d(place, wide * 2, _FIRST_KERNEL, above=True, itself=False, conditioning=True)
        self.first_above = nn.Conv2d(maps, 2 * maps, 1)
        self.blocks = nn.ModuleList(_GatedBlock(wide) for _ in range(_BLOCKS))
        self.out = CausalConv2d(wide, place * 2, 1, above=False, itself=True, conditioning=True)
        # Near N(0, I) at first: a KL of hundreds of nats in the first updates teaches the encoder to say nothing.
        nn.init.uniform_(self.out.weight, -_OUT_BOUND, _OUT_BOUND)

    def forward(self, z1: Tensor, z2: Tensor) -> Gaussian:
        """(B, latent_maps, h, w) and (B, latent) → the Gaussian of each place, of the shape of z1."""
        dtype = self.out.weight.dtype
        above = F.relu(self.above(z2.to(dtype)))
        x = gate(self.first(z1.to(dtype)) + self.first_above(above))
        for block in self.blocks:
            x = block(x, above)
        return Gaussian.of(outside_autocast(self.out, F.relu(x)))

    def draw(self, normals: Tensor, z2: Tensor) -> Tensor:
        """Standard normals of the shape of z1 → a draw, one place after another in raster order."""
        z1 = torch.zeros_like(normals)
        for row in range(normals.shape[2]):
            for column in range(normals.shape[3]):
                z1[:, :, row, column] = self(z1, z2).at(normals)[:, :, row, column]
        return z1


class _GatedBlock(nn.Module):
    """x + 1x1(gate(3x3 mask B of x + 1x1 of what is above))."""

    def __init__(self, wide: list[int]):
        super().__init__()
        self.spread = CausalConv2d(wide, wide * 2, _KERNEL, above=True, itself=True, conditioning=True)
        self.above = nn.Conv2d(len(wide), 2 * len(wide), 1)
        self.out = nn.Conv2d(len(wide), len(wide), 1)

    def forward(self, x: Tensor, above: Tensor) -> Tensor:
        return x + self.out(gate(self.spread(x) + self.above(above)))


class TwoLevels(nn.Module):
    """q(z1|x), q(z2|x), p(z1|z2) and p(z2); the methods are those of `OneLevel`, lists hold z1 and then z2."""

    def __init__(self, inputs: int, size: Size, maps: int, latent: int, latent_maps: int, prior_maps: int):
        super().__init__()
        self.up_sizes = halvings(size, _STEPS_TO_MAP)
        self.up_widths = widths(maps, len(self.up_sizes))
        top_sizes = halvings(self.up_sizes[-1])
        top_widths = [self.up_widths[-1]] * len(top_sizes)
        self.shapes: tuple[tuple[int, ...], ...] = ((latent_maps, *self.up_sizes[-1]), (latent,))
        self.down = Down(inputs, self.up_widths)
        self.inferred = convolution(self.up_widths[-1], 2 * latent_maps)
        self.down_top = Down(self.up_widths[-1], top_widths)
        self.inferred_top = linear(top_widths[-1] * top_sizes[-1][0] * top_sizes[-1][1], 2 * latent)
        self.prior = LatentPrior(latent, latent_maps, prior_maps, top_sizes, top_widths)

    def infer(self, x: Tensor) -> list[Gaussian]:
        """Encoded images (B, inputs, H, W) → q(z1|x), q(z2|x)."""
        features = self.down(x)
        top = self.down_top(features).flatten(1)
        return [Gaussian.of(outside_autocast(self.inferred, features)), Gaussian.of(outside_autocast(self.inferred_top, top))]

    def log_prior(self, latents: list[Tensor]) -> Tensor:
        """(B,) float64 log p(z1|z2) p(z2)."""
        z1, z2 = latents
        return self.prior(z1, z2).log_prob(z1) + Gaussian.standard(z2).log_prob(z2)

    def kl(self, posteriors: list[Gaussian], latents: list[Tensor]) -> list[Tensor]:
        """KL(q || p) of every number in nats, one (B, …) a level.

        For z1 at a place it is the one to p given the drawn z2 and the drawn earlier places: exact there, and over draws unbiased for
        the KL of the whole map, since q's places are independent.
        """
        z1, z2 = latents
        return [posteriors[0].kl(self.prior(z1, z2)), posteriors[1].kl(Gaussian.standard(posteriors[1].mean))]

    def from_prior(self, normals: list[Tensor]) -> list[Tensor]:
        """Standard normals of the latents' shapes → draws of z2 and then of z1 given it."""
        return [self.prior.draw(normals[0], normals[1]), normals[1]]
