"""Tiny nets for the checker: a causal one with hooks, and variants of it, most of them with a fault."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 16


def centre_seen(inputs: int, outputs: int, channels: int, own: bool) -> Tensor:
    """(outputs, inputs) of 0 and 1: maps in blocks, one a colour; later colours see earlier ones, and with `own` themselves."""
    colour_in = torch.arange(inputs) * channels // inputs
    colour_out = torch.arange(outputs) * channels // outputs
    seen = colour_in[None, :] <= colour_out[:, None] if own else colour_in[None, :] < colour_out[:, None]
    return seen.float()


class MaskedConv(nn.Module):
    """k x k convolution that sees earlier pixels and, at the centre, earlier colours (mask A) or up to its own (mask B)."""

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, channels: int, *, own: bool, kernel: int = 3, keep_below: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) / (inputs * kernel * kernel) ** 0.5)
        self.bias = nn.Parameter(0.1 * torch.randn(outputs))
        middle = kernel // 2
        mask = torch.ones(outputs, inputs, kernel, kernel)
        mask[:, :, middle, middle:] = 0
        if not keep_below:
            mask[:, :, middle + 1 :] = 0
        mask[:, :, middle, middle] = centre_seen(inputs, outputs, channels, own)
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.weight.shape[-1] // 2)


class Net(nn.Module):
    """A causal net of one stack: mask A, then mask B with a residual around it, then a masked 1x1 head giving `k` outputs a sub-pixel.

    Faulty ones override a hook: `enter` (images to numbers), `first`, `middle`, `head`.
    """

    def __init__(self, channels: int, *, k: int = 8, maps: int = 4, own_first: bool = False, keep_below: bool = False) -> None:
        super().__init__()
        self.channels, self.k, self.maps = channels, k, maps * channels
        self.a = MaskedConv(channels, self.maps, channels, own=own_first, keep_below=keep_below)
        self.b = MaskedConv(self.maps, self.maps, channels, own=True)
        self.c = MaskedConv(self.maps, channels * k, channels, own=True, kernel=1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.enter(images)
        out = self.head(self.middle(self.first(x)))
        return out.unflatten(1, (self.channels, self.k)).transpose(1, 2)

    def enter(self, images: Tensor) -> Tensor:
        return images.float() / (LEVELS - 1)

    def first(self, x: Tensor) -> Tensor:
        return self.a(x)

    def middle(self, h: Tensor) -> Tensor:
        return h + self.b(torch.tanh(h))

    def head(self, h: Tensor) -> Tensor:
        return self.c(torch.relu(h))


class ResidualFirst(Net):
    """A residual connection around the first layer: every colour sees itself."""

    def first(self, x: Tensor) -> Tensor:
        return self.a(x) + x.repeat_interleave(self.maps // self.channels, 1)


class GateSplit(Net):
    """tanh and sigmoid halves of colour-grouped maps: the halves hold other colours than their product is taken for."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.gate = MaskedConv(self.maps, 2 * self.maps, channels, own=True)

    def middle(self, h: Tensor) -> Tensor:
        values, gates = self.gate(h).chunk(2, 1)
        return torch.tanh(values) * torch.sigmoid(gates)


class Concatenated(Net):
    """Two colour-grouped tensors one behind the other are no longer in colour groups."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.c = MaskedConv(2 * self.maps, channels * self.k, channels, own=True, kernel=1)

    def head(self, h: Tensor) -> Tensor:
        return self.c(torch.cat([torch.relu(h), torch.relu(-h)], 1))


class Unshifted(Net):
    """A vertical stack that holds its own row enters the horizontal one without being shifted down a row."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.vertical = nn.Conv2d(channels, self.maps, (2, 3), padding=(1, 1))

    def first(self, x: Tensor) -> Tensor:
        return self.a(x) + self.vertical(x)[:, :, : x.shape[2]]


class Normed(Net):
    """Any normalisation between the layers."""

    def __init__(self, channels: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__(channels)
        self.norm = norm(self.maps)

    def middle(self, h: Tensor) -> Tensor:
        return super().middle(self.norm(h))


class NeighbourInBatch(Net):
    """Adds a little of the previous image of the batch; alone in a batch that is the image itself."""

    def first(self, x: Tensor) -> Tensor:
        return self.a(x) + 0.1 * self.b(self.a(x)).roll(1, 0)


class SharedOut(Net):
    """Divides by the number of images in the batch."""

    def first(self, x: Tensor) -> Tensor:
        return self.a(x) / len(x)


class Attention(Net):
    """Causal attention over pixels; where nothing may be attended to, everything is (`sink=False`), or a learnt sink (`True`)."""

    def __init__(self, channels: int, *, sink: bool) -> None:
        super().__init__(channels)
        self.embed = nn.Conv2d(channels, self.maps, 1)
        self.sink = sink

    def first(self, x: Tensor) -> Tensor:
        e = self.embed(x).flatten(2)
        n = e.shape[-1]
        scores = torch.einsum("bdi,bdj->bij", self.a(x).flatten(2), e)
        scores = scores.masked_fill(~torch.ones(n, n, dtype=torch.bool).tril(-1), -1e9)
        if self.sink:
            scores, e = F.pad(scores, (1, 0)), F.pad(e, (1, 0))
        return self.a(x) + torch.einsum("bij,bdj->bdi", scores.softmax(-1), e).view(x.shape[0], self.maps, *x.shape[2:])


class Extra(Net):
    """Adds `amount(x)` (B, C, H, W) to every output of the same sub-pixel."""

    def __init__(self, channels: int, amount: Callable[[Tensor], Tensor]) -> None:
        super().__init__(channels)
        self.amount = amount

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + self.amount(self.enter(images))[:, None]


class OneHot(Net):
    """Causal, with one-hot input: the maps of a colour stand together."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.a = MaskedConv(channels * LEVELS, self.maps, channels, own=False)

    def enter(self, images: Tensor) -> Tensor:
        return F.one_hot(images, LEVELS).float().permute(0, 1, 4, 2, 3).flatten(1, 2)


class WithDropout(Net):
    """Causal, with dropout that not even eval mode turns off."""

    def middle(self, h: Tensor) -> Tensor:
        return super().middle(F.dropout(h, 0.3, training=True))


class LogProbabilities(Net):
    """Causal; gives log-probabilities, -inf where a level is impossible."""

    def head(self, h: Tensor) -> Tensor:
        out = super().head(h).unflatten(1, (self.channels, self.k)).log_softmax(2)
        return out.masked_fill(out < -2.5, -torch.inf).flatten(1, 2)


class Transposed(Net):
    """Width and height taken for one another: causal in column-major order only."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.transpose(2, 3)).transpose(3, 4)


def weak(x: Tensor) -> Tensor:
    """A path to itself with gain 1e-9."""
    return 1e-9 * x


def stepwise(x: Tensor) -> Tensor:
    """A path without gradient."""
    return torch.round(2 * x)


def at_border(x: Tensor) -> Tensor:
    """In the last column only, the pixel on its left sees it."""
    return F.pad(x[..., -1:], (x.shape[-1] - 2, 1))


def smaller_of_next_two(x: Tensor) -> Tensor:
    """Each sees the smaller of the next two pixels of its row: on the zero image no single change shows it."""
    return torch.minimum(F.pad(x[..., 1:], (0, 1)), F.pad(x[..., 2:], (0, 2)))
