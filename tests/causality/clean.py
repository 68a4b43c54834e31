"""Causal modules of many kinds, none of which may be called leaky. `CLEAN` maps a name to a `Clean`."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from tests.causality.faulty import Scan, TwoStacks
from tests.causality.nets import LEVELS, Attention, LogProbabilities, MaskedConv, Net, Normed, OneHot, WithDropout


@dataclass(frozen=True)
class Clean:
    """How to build it, how many channels its images have, and in which mode it is checked. `moves`: a second call gives something else."""

    build: Callable[[], nn.Module]
    channels: int
    mode: str = "eval"
    moves: bool = False
    size: tuple[int, int] = (4, 5)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Not square."""
        return (self.channels, *self.size)


class Rows(Net):
    """An LSTM along the raster scan of the first layer's output, which is causal already."""

    def __init__(self) -> None:
        super().__init__(1)
        self.scan = nn.LSTM(self.maps, self.maps, batch_first=True)

    def middle(self, h: Tensor) -> Tensor:
        return self.scan(h.flatten(2).transpose(1, 2))[0].transpose(1, 2).reshape(h.shape)


class Single(Net):
    """Rounds to seven digits inside by a route whose precision cannot be raised."""

    def middle(self, h: Tensor) -> Tensor:
        return torch.from_numpy(super().middle(h).detach().numpy().astype(np.float32)).double()


class Embedded(Net):
    """A learnt vector for each level."""

    def __init__(self) -> None:
        super().__init__(1)
        self.embed = nn.Embedding(LEVELS, 5)
        self.a = MaskedConv(5, self.maps, 1, own=False)

    def enter(self, images: Tensor) -> Tensor:
        return self.embed(images[:, 0]).permute(0, 3, 1, 2)


class Transformer(nn.Module):
    """Causal self-attention over the raster sequence of sub-pixels, a start token first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.embed = nn.Embedding(LEVELS + 1, 8)
        self.place = nn.Parameter(torch.randn(64, 8))
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.out = nn.Linear(8, LEVELS)

    def forward(self, images: Tensor) -> Tensor:
        sequence = F.pad(images.permute(0, 2, 3, 1).flatten(1), (1, 0), value=LEVELS)[:, :-1]
        count = sequence.shape[1]
        mask = torch.ones(count, count, dtype=torch.bool).triu(1)
        out = self.out(self.block(self.embed(sequence) + self.place[:count], src_mask=mask))
        return out.view(len(images), *images.shape[2:], self.channels, LEVELS).permute(0, 4, 3, 1, 2)


class Conditional(Net):
    """A class embedding is added to every map; a class of its own where none is given."""

    def __init__(self) -> None:
        super().__init__(3)
        self.label = nn.Embedding(11, self.maps)

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        self.chosen = torch.full((len(images),), 10) if label is None else label
        return super().forward(images)

    def first(self, x: Tensor) -> Tensor:
        return super().first(x) + self.label(self.chosen)[:, :, None, None]


class PixelNorm(Net):
    """Normalises over the maps of one pixel, which all belong to the only colour."""

    def __init__(self) -> None:
        super().__init__(1)
        self.norm = nn.LayerNorm(self.maps)

    def middle(self, h: Tensor) -> Tensor:
        return super().middle(self.norm(h.movedim(1, -1)).movedim(-1, 1))


class Hard(Net):
    """Thresholds and arg-max inside: no gradient anywhere."""

    def middle(self, h: Tensor) -> Tensor:
        return torch.round(3 * torch.tanh(h)) + F.one_hot(h.argmax(1), self.maps).movedim(-1, 1)


def saturated() -> nn.Module:
    net = Net(3)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(100)
    return net


def reparametrised(how: Callable[..., nn.Module]) -> nn.Module:
    net = Net(3)
    how(net.b, "weight")
    return net


def reparametrised_as_of_old() -> nn.Module:
    """Keeps a weight that was computed from others as an attribute, which `deepcopy` refuses; used once, so that a graph hangs on it."""
    net = OldTypes(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.nn.utils.weight_norm(net.c, "weight")
    net(torch.zeros(1, 1, 4, 5, dtype=torch.int64)).sum().backward()
    return net


class OldTypes(Net):
    """Asks for single precision in the old way."""

    def enter(self, images: Tensor) -> Tensor:
        return images.type("torch.FloatTensor") / (LEVELS - 1)


CLEAN: dict[str, Clean] = {
    "one channel": Clean(lambda: Net(1), 1),
    "two channels": Clean(lambda: Net(2), 2),
    "three channels": Clean(lambda: Net(3), 3),
    "four channels": Clean(lambda: Net(4), 4, size=(3, 4)),
    "one row": Clean(lambda: Net(1), 1, size=(1, 7)),
    "one column": Clean(lambda: Net(3), 3, size=(6, 1)),
    "two stacks": Clean(lambda: TwoStacks(1), 1),
    "two stacks, colours": Clean(lambda: TwoStacks(3), 3),
    "saturated": Clean(saturated, 3),
    "half-precision weights": Clean(lambda: Net(3).half(), 3),
    "brain-float weights": Clean(lambda: Net(1).bfloat16(), 1),
    "single precision inside": Clean(lambda: Single(3), 3),
    "dropout always on": Clean(lambda: WithDropout(3), 3),
    "nn.Dropout in training": Clean(lambda: Normed(3, lambda maps: nn.Dropout(0.4)), 3, "train"),
    "BatchNorm in evaluation": Clean(lambda: Normed(3, nn.BatchNorm2d), 3),
    "normalisation over the maps of a pixel": Clean(PixelNorm, 1),
    "one-hot": Clean(lambda: OneHot(3), 3),
    "embedding": Clean(Embedded, 1),
    "without gradients": Clean(lambda: Hard(1), 1),
    "log-probabilities with -inf": Clean(lambda: LogProbabilities(3), 3),
    "attention with a sink": Clean(lambda: Attention(1, sink=True), 1),
    "transformer": Clean(lambda: Transformer(1), 1),
    "transformer, colours, in training": Clean(lambda: Transformer(3), 3, "train"),
    "spectral norm in training, which moves its buffers": Clean(lambda: reparametrised(spectral_norm), 3, "train", moves=True),
    "weight norm of old, after use": Clean(reparametrised_as_of_old, 1),
    "weight norm in training": Clean(lambda: reparametrised(weight_norm), 3, "train"),
    "LSTM over features": Clean(Rows, 1),
    "GRU over pixels": Clean(lambda: Scan(shift=1, reverse=False), 1),
    "conditional": Clean(Conditional, 3),
}
