"""Tiny nets with sampling functions, right ones and faulty ones. Images enter as floats in [0, 1]."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Net(nn.Module):
    """Every sub-pixel depends on all before it in raster order, G on R and B on both: logits (B, levels, C, H, W)."""

    seen: Tensor
    draw: Any

    def __init__(self, shape: tuple[int, int, int], levels: int = 2, scale: float = 1.5) -> None:
        super().__init__()
        self.shape, self.levels = shape, levels
        size, random = math.prod(shape), torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(scale * torch.randn(size, levels, size, generator=random))
        self.bias = nn.Parameter(scale * torch.randn(size, levels, generator=random))
        self.register_buffer("seen", torch.ones(size, size).tril(-1))

    def forward(self, images: Tensor) -> Tensor:
        channels, height, width = self.shape
        flat = images.to(self.weight.dtype).permute(0, 2, 3, 1).flatten(1)
        logits = torch.einsum("bi,oli,oi->bol", flat, self.weight, self.seen) + self.bias
        return logits.view(-1, height, width, channels, self.levels).permute(0, 4, 3, 1, 2)

    def entered(self, levels: Tensor) -> Tensor:
        """What the canvas holds."""
        return levels / (self.levels - 1)

    def chosen(self, logits: Tensor) -> Tensor:
        """(n, levels) → (n,) levels."""
        return torch.multinomial(logits.softmax(1), 1)[:, 0]

    def sample(self, n: int) -> Tensor:
        """One sub-pixel after the other: right, unless what is above is not."""
        channels, height, width = self.shape
        canvas = torch.zeros(n, *self.shape)
        for row in range(height):
            for column in range(width):
                for channel in range(channels):
                    canvas[:, channel, row, column] = self.entered(self.chosen(self(canvas)[:, :, channel, row, column]))
        return canvas

    def integers(self, n: int) -> Tensor:
        """The same as levels."""
        return (self.sample(n) * (self.levels - 1)).round().long()

    def together(self, n: int) -> Tensor:
        """All colours of a pixel from one pass."""
        channels, height, width = self.shape
        canvas = torch.zeros(n, *self.shape)
        for row in range(height):
            for column in range(width):
                logits = self(canvas)[:, :, :, row, column]
                for channel in range(channels):
                    canvas[:, channel, row, column] = self.entered(self.chosen(logits[:, :, channel]))
        return canvas

    def at_once(self, n: int) -> Tensor:
        """The whole image from one pass."""
        probabilities = self(torch.zeros(n, *self.shape)).softmax(1).movedim(1, -1)
        return torch.distributions.Categorical(probs=probabilities).sample()


class DividedByLevels(Net):
    """Canvas and draws hold levels divided by their number."""

    def entered(self, levels: Tensor) -> Tensor:
        return levels / self.levels

    def integers(self, n: int) -> Tensor:
        """So does the canvas, but not what is given."""
        return (self.sample(n) * self.levels).round().long()


class OneUp(Net):
    """What is drawn is one level up, at the top where it would leave the range."""

    def chosen(self, logits: Tensor) -> Tensor:
        return (super().chosen(logits) + 1).clip(max=self.levels - 1)


class AtLast(Net):
    """Levels are one up, but not in the canvas."""

    def integers(self, n: int) -> Tensor:
        return super().integers(n) + 1

    def wrapped(self, n: int) -> Tensor:
        """Modulo the number of levels."""
        return self.integers(n) % self.levels


class OneTooFew(Net):
    """The highest level is left out."""

    def chosen(self, logits: Tensor) -> Tensor:
        return super().chosen(logits[:, :-1])


class Cold(Net):
    """Draws at a temperature of its own unless another is asked for."""

    temperature = 0.8

    def chosen(self, logits: Tensor) -> Tensor:
        return super().chosen(logits / self.temperature)

    def at(self, n: int, temperature: float = 0.8) -> Tensor:
        self.temperature = temperature
        return self.sample(n)


class Greedy(Net):
    """The likeliest level."""

    def chosen(self, logits: Tensor) -> Tensor:
        return logits.argmax(1)


class SelfSeeding(Net):
    """Each call gives the same images."""

    def sample(self, n: int) -> Tensor:
        torch.manual_seed(0)
        return super().sample(n)


class Rare(Net):
    """Nearly all pixels are black, each with a probability of its own that is tiny."""

    def __init__(self, rare: float, **options: int) -> None:
        super().__init__((1, 2, 3), **options)
        with torch.no_grad():
            self.weight.zero_()
            self.bias.copy_(torch.tensor([0.0, math.log(rare)]).expand_as(self.bias))


class Scored(nn.Module):
    """Offers log_prob and a sampler, and no forward: each pixel is likely to be as the one before."""

    def __init__(self, first: float = 0.5) -> None:
        super().__init__()
        self.stay, self.first = nn.Parameter(torch.tensor(2.0)), first

    def log_prob(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        same = (flat[:, 1:] == flat[:, :-1]).to(self.stay.dtype)
        return -math.log(2) + (same * F.logsigmoid(self.stay) + (1 - same) * F.logsigmoid(-self.stay)).sum(1)

    def sample(self, n: int) -> Tensor:
        flat = (torch.rand(n, 1) < self.first).long()
        for _ in range(5):
            stays = torch.rand(n, 1) < torch.sigmoid(self.stay)
            flat = torch.cat([flat, torch.where(stays, flat[:, -1:], 1 - flat[:, -1:])], 1)
        return flat.view(n, 1, 2, 3)


class Mixture(nn.Module):
    """One pixel of three colours as a logistic mixture with coefficients, parameters in the order of PixelCNN++; nothing is seen."""

    def __init__(self, components: int = 2) -> None:
        super().__init__()
        self.components = components
        values = torch.randn(10 * components, generator=torch.Generator().manual_seed(3))
        values[components:] *= 2
        self.parameters_of_all = nn.Parameter(values)

    def forward(self, images: Tensor) -> Tensor:
        return self.parameters_of_all.view(1, -1, 1, 1).expand(len(images), -1, *images.shape[2:])


def as_function(net: Net) -> Callable:
    """A sampler outside the module."""

    def drawn(module: nn.Module, number: int) -> Tensor:
        assert module is not net  # a copy is drawn from
        assert isinstance(module, Net)
        return module.sample(number)

    return drawn
