"""Diagonal Gaussians, the strided encoder and its mirror, and one level of latents: what is around the pixels in a PixelVAE.

Any image from 8x8 up fits: a step of stride 2 takes a size to its half, rounded up, and the mirror gives back exactly the size that it
came from.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.causal import initialise
from pixelbench.models.heads import outside_autocast

Size = tuple[int, int]

#: Log sigmas lie between minus and plus this, smoothly: an encoder that starts to diverge gives no infinite weight.
_LARGEST_LOG_SIGMA = 7.0
#: The encoder halves the image until the smaller side has at most so many places.
_SMALLEST_SIDE = 4


@dataclass(frozen=True)
class Gaussian:
    """Independent normal variables: mean and log sigma, (B, …) each. Sums over all but B."""

    mean: Tensor
    log_sigma: Tensor

    @classmethod
    def of(cls, parameters: Tensor) -> "Gaussian":
        """From a network's outputs (B, 2n, …), at least in fp32."""
        mean, log_sigma = parameters.to(torch.promote_types(parameters.dtype, torch.float32)).chunk(2, 1)
        return cls(mean, _LARGEST_LOG_SIGMA * torch.tanh(log_sigma / _LARGEST_LOG_SIGMA))

    @classmethod
    def standard(cls, like: Tensor) -> "Gaussian":
        """Mean 0 and sigma 1."""
        return cls(torch.zeros_like(like), torch.zeros_like(like))

    def at(self, normals: Tensor) -> Tensor:
        """Standard normals → a draw, in their precision."""
        return self.mean.to(normals.dtype) + self.log_sigma.to(normals.dtype).exp() * normals

    def log_prob(self, z: Tensor) -> Tensor:
        """(B,) float64 log density in nats."""
        mean, log_sigma = self.mean.double(), self.log_sigma.double()
        distance = (z.double() - mean) * torch.exp(-log_sigma)
        return -(0.5 * distance.square() + log_sigma + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)

    def kl(self, other: "Gaussian") -> Tensor:
        """KL(self || other) of every variable in nats, (B, …)."""
        ratio = torch.exp(2 * (self.log_sigma - other.log_sigma))
        distance = (self.mean - other.mean) * torch.exp(-other.log_sigma)
        return 0.5 * (ratio + distance.square() - 1) - self.log_sigma + other.log_sigma

    def repeated(self, times: int) -> "Gaussian":
        """The whole batch so many times, one after another."""
        ones = [1] * (self.mean.dim() - 1)
        return Gaussian(self.mean.repeat(times, *ones), self.log_sigma.repeat(times, *ones))


def standard_normals(n: int, shapes: tuple[tuple[int, ...], ...], generator: torch.Generator | None, device: torch.device) -> list[Tensor]:
    """One (n, …) float64 tensor a shape, drawn where the generator is and moved to `device`."""
    source = device if generator is None else generator.device
    return [torch.randn(n, *shape, dtype=torch.float64, device=source, generator=generator).to(device) for shape in shapes]


def halvings(size: Size, steps: int | None = None) -> list[Size]:
    """The size itself and after each step of stride 2: so many steps, or until the smaller side is at most 4."""
    sizes = [size]
    while min(sizes[-1]) > _SMALLEST_SIDE if steps is None else len(sizes) <= steps:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


class Down(nn.Module):
    """3x3 convolutions with ReLU, two a size: (B, inputs, *sizes[0]) → (B, widths[-1], *sizes[-1]); each step goes on by stride 2.

    For 28x28 that is the authors' encoder: 1-32, 32-32/2, 32-32, 32-64/2, 64-64, 64-64/2, 64-64, 64-64.
    """

    def __init__(self, inputs: int, widths: list[int]):
        super().__init__()
        self.first = convolution(inputs, widths[0])
        self.steps = nn.ModuleList()
        for wide, wider in pairwise(widths):
            self.steps.append(nn.Sequential(convolution(wide, wider, stride=2), nn.ReLU(), convolution(wider, wider)))
        self.last = convolution(widths[-1], widths[-1])

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        for step in self.steps:
            x = F.relu(step(x))
        return F.relu(self.last(x))


class Up(nn.Module):
    """The mirror of `Down` by transposed convolutions: z, a vector (B, n) or a map (B, n, *sizes[-1]) → (B, outputs, *sizes[0])."""

    def __init__(self, shape: tuple[int, ...], sizes: list[Size], widths: list[int], outputs: int):
        super().__init__()
        self.smallest = (widths[-1], *sizes[-1])
        vector = len(shape) == 1
        self.first = linear(shape[0], math.prod(self.smallest)) if vector else convolution(shape[0], widths[-1])
        self.steps = nn.ModuleList()
        for i in reversed(range(len(sizes) - 1)):
            larger = _transposed(widths[i + 1], widths[i], sizes[i])
            self.steps.append(nn.Sequential(convolution(widths[i + 1], widths[i + 1]), nn.ReLU(), larger))
        self.out = convolution(widths[0], outputs)

    def forward(self, z: Tensor) -> Tensor:
        x = F.relu(self.first(z).view(len(z), *self.smallest))
        for step in self.steps:
            x = F.relu(step(x))
        return self.out(x)


class OneLevel(nn.Module):
    """q(z|x) and p(z) = N(0, I) of one vector z.

    The way into pixels is the model's own. Lists of latents and of Gaussians are in the order of generation reversed: the one that the
    pixels depend on comes first.

    Attributes:
        shapes: of the latents.
        up_sizes, up_widths: for an `Up` from the first latent to the image.
    """

    def __init__(self, inputs: int, size: Size, maps: int, latent: int):
        super().__init__()
        self.up_sizes = halvings(size)
        self.up_widths = widths(maps, len(self.up_sizes))
        self.shapes: tuple[tuple[int, ...], ...] = ((latent,),)
        self.down = Down(inputs, self.up_widths)
        self.inferred = linear(self.up_widths[-1] * math.prod(self.up_sizes[-1]), 2 * latent)

    def infer(self, x: Tensor) -> list[Gaussian]:
        """Encoded images (B, inputs, H, W) → q(z|x)."""
        return [Gaussian.of(outside_autocast(self.inferred, self.down(x).flatten(1)))]

    def log_prior(self, latents: list[Tensor]) -> Tensor:
        """(B,) float64 log p(z)."""
        return Gaussian.standard(latents[0]).log_prob(latents[0])

    def kl(self, posteriors: list[Gaussian], latents: list[Tensor]) -> list[Tensor]:
        """KL(q || p) of every number in nats, one (B, …) a level."""
        return [posteriors[0].kl(Gaussian.standard(posteriors[0].mean))]

    def from_prior(self, normals: list[Tensor]) -> list[Tensor]:
        """Standard normals of the latents' shapes → draws of p(z)."""
        return normals


def widths(maps: int, sizes: int) -> list[int]:
    """Feature maps at each size: twice as many from the second halving on, as in the authors' code."""
    return [maps if i < 2 else 2 * maps for i in range(sizes)]


def convolution(inputs: int, outputs: int, *, stride: int = 1) -> nn.Conv2d:
    """3x3, zeros around; stride 2 rounds sizes up. Twice the usual variance, since what it reads are ReLUs (He et al. 2015)."""
    layer = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    assert layer.bias is not None
    initialise(layer.weight, layer.bias, fan_in=9 * inputs / 2)
    return layer


def linear(inputs: int, outputs: int) -> nn.Linear:
    """With this project's initialisation."""
    layer = nn.Linear(inputs, outputs)
    initialise(layer.weight, layer.bias, fan_in=inputs)
    return layer


def _transposed(inputs: int, outputs: int, size: Size) -> nn.ConvTranspose2d:
    """The transpose of a convolution of stride 2 that started from `size`, even or odd."""
    layer = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=(1 - size[0] % 2, 1 - size[1] % 2))
    assert layer.bias is not None
    initialise(layer.weight, layer.bias, fan_in=9 * inputs / 8)  # as above; an output place is reached by a quarter of the taps
    return layer
