"""More nets with a fault: whole other architectures, and faults that need a training step or a second call to show."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.causality.nets import Extra, MaskedConv, Net


class Around(Net):
    """Changes the images before and the outputs (B, K, C, H, W) after a causal net."""

    def __init__(self, channels: int, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]) -> None:
        super().__init__(channels)
        self.before, self.after = before, after

    def forward(self, images: Tensor) -> Tensor:
        return self.after(super().forward(self.before(images)))


def flipped(channels: int, axis: int) -> Around:
    """Rows (-2), columns (-1) or colours (-3) in reverse."""
    return Around(channels, lambda images: images.flip(axis), lambda out: out.flip(axis))


class MaskOnce(Net):
    """The first layer's mask is multiplied with the weight at initialisation and never again."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        with torch.no_grad():
            self.a.weight.mul_(self.a.mask)
        self.a.mask = torch.ones_like(self.a.mask)


class Unmasked(Net):
    """The mask of the first layer is made and not used; or only its centre is open (`centre=True`)."""

    def __init__(self, channels: int, *, centre: bool) -> None:
        super().__init__(channels)
        if centre:
            self.a.mask[:, :, 1, 1] = 1
        else:
            self.a.mask.fill_(1)


class Counting(Net):
    """Sees itself from the second call on; counts in a plain attribute, or in a buffer."""

    count: Tensor

    def __init__(self, channels: int, *, buffer: bool) -> None:
        super().__init__(channels)
        self.calls, self.buffer = 0, buffer
        self.register_buffer("count", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        out = super().forward(images) + (self.count if self.buffer else float(self.calls)) * self.enter(images)[:, None]
        self.calls += 1
        self.count += 1
        return out


class AtSeven(Net):
    """Sees itself where its value is exactly 7."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + (images == 7)[:, None]


class ModuloColours(Net):
    """A width that is not divisible: the first layer deals its maps out in blocks, the second one in turn."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        order = torch.arange(self.maps) % channels
        self.b.mask[:, :, 1, 1] = (order[None, :] <= order[:, None]).float()


class ChannelNorm(Net):
    """Normalises over all channels of a pixel, which belong to several colours."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.norm = nn.LayerNorm(self.maps)

    def middle(self, h: Tensor) -> Tensor:
        return super().middle(self.norm(h.movedim(1, -1)).movedim(-1, 1))


class Excited(Net):
    """Squeeze and excite: every map is scaled by a gate that is computed from the mean over all pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.excite = nn.Linear(self.maps, self.maps)

    def middle(self, h: Tensor) -> Tensor:
        return super().middle(h * self.excite(h.mean((2, 3))).sigmoid()[:, :, None, None])


class RowAttention(Net):
    """Each row attends to the rows above; the first one, which has none, to everything; or all rows to everything (`mask=False`)."""

    def __init__(self, channels: int, *, mask: bool) -> None:
        super().__init__(channels)
        self.mask = mask
        self.embed = nn.Conv2d(channels, self.maps, 1)

    def head(self, h: Tensor) -> Tensor:
        keys = h.flatten(2)
        row = torch.arange(keys.shape[-1]) // h.shape[-1]
        scores = torch.einsum("bdi,bdj->bij", keys, keys)
        if self.mask:
            scores = scores.masked_fill(row[None, :] >= row[:, None], -1e9)
        return super().head(h + torch.einsum("bij,bdj->bdi", scores.softmax(-1), keys).view_as(h))


class Scan(nn.Module):
    """A GRU over the raster sequence of pixels, moved by `shift` places (1 is right); `reverse` runs it from the end."""

    def __init__(self, *, shift: int, reverse: bool) -> None:
        super().__init__()
        self.shift, self.reverse = shift, reverse
        self.scan = nn.GRU(1, 6, batch_first=True)
        self.out = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        sequence = images.flatten(1).float()[..., None] / 15
        sequence = sequence.flip(1) if self.reverse else sequence
        pad = (0, 0, 1, 0) if self.shift > 0 else (0, 0, 0, 1)
        moved = F.pad(sequence, pad)[:, :-1] if self.shift > 0 else F.pad(sequence, pad)[:, 1:]
        out = self.out(self.scan(moved)[0])
        out = out.flip(1) if self.reverse else out
        return out.transpose(1, 2).reshape(len(images), 3, *images.shape[1:])


class RowBackwards(Net):
    """A GRU from right to left over each row of the first layer's output, not shifted down by a row."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.scan = nn.GRU(self.maps, self.maps, batch_first=True)

    def middle(self, h: Tensor) -> Tensor:
        rows = h.permute(0, 2, 3, 1).flatten(0, 1).flip(1)
        out = self.scan(rows)[0].flip(1).reshape(h.shape[0], *h.shape[2:], self.maps)
        return h + out.permute(0, 3, 1, 2)


class Circular(Net):
    """The first layer's padding comes from the opposite side."""

    def first(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), self.a.weight * self.a.mask, self.a.bias)


class Patches(Net):
    """Adds to all pixels of a 2x2 block something of the whole block."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.patch = nn.Conv2d(channels, self.maps, 2, stride=2)

    def first(self, x: Tensor) -> Tensor:
        return self.a(x) + F.interpolate(self.patch(x), scale_factor=2.0, mode="nearest")


class TwoStacks(nn.Module):
    """A vertical stack for the rows above and a horizontal one for this row, three layers each.

    Args:
        strict: every vertical layer, not only the first, leaves out its own row: the blind spot of some public code.
        link: the horizontal stack gets what the vertical one has found.
        own_row: the horizontal stack gets the pixels.
    """

    def __init__(self, channels: int, *, strict: bool = False, link: bool = True, own_row: bool = True, maps: int = 6) -> None:
        super().__init__()
        self.channels, self.strict, self.link, self.own_row = channels, strict, link, own_row
        maps *= channels
        sizes = [channels, maps, maps]
        self.rows = 1 if strict else 2
        self.vertical = nn.ModuleList(nn.Conv2d(size, maps, (self.rows, 3)) for size in sizes)
        self.horizontal = nn.ModuleList(MaskedConv(size, maps, channels, own=i > 0) for i, size in enumerate(sizes))
        self.out = MaskedConv(maps, 8 * channels, channels, own=True, kernel=1)
        for layer in self.horizontal:
            layer.get_buffer("mask")[:, :, 0] = 0

    def forward(self, images: Tensor) -> Tensor:
        v = h = images.float() / 15
        h = h if self.own_row else torch.zeros_like(h)
        for i, (down, right) in enumerate(zip(self.vertical, self.horizontal, strict=True)):
            above = self.strict or i == 0
            v = down(F.pad(v, (1, 1, self.rows if above else self.rows - 1, 0)))
            v = torch.tanh(v[:, :, :-1] if above else v)
            h = torch.tanh(right(h) + v if self.link else right(h))
        return self.out(h).unflatten(1, (self.channels, 8)).transpose(1, 2)


class Dilated(Net):
    """Both layers look at every second pixel only."""

    def first(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.a.weight * self.a.mask, self.a.bias, padding=2, dilation=2)

    def middle(self, h: Tensor) -> Tensor:
        return torch.tanh(F.conv2d(h, self.b.weight * self.b.mask, self.b.bias, padding=2, dilation=2))


class MaskATwice(Net):
    """The second layer leaves out its centre as well."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.b = MaskedConv(self.maps, self.maps, channels, own=False)

    def middle(self, h: Tensor) -> Tensor:
        return torch.tanh(self.b(h))


class Depthwise(Net):
    """Neighbouring pixels are masked by colour, too: each colour sees its own channel only."""

    def enter(self, images: Tensor) -> Tensor:
        for layer in (self.a, self.b, self.c):
            layer.mask.mul_(torch.block_diag(*[torch.ones(entry) for entry in self._blocks(layer)])[:, :, None, None])
        return super().enter(images)

    def _blocks(self, layer: MaskedConv) -> list[tuple[int, int]]:
        return [(layer.weight.shape[0] // self.channels, layer.weight.shape[1] // self.channels)] * self.channels


def colour_blind(channels: int, only: int | None = None) -> Net:
    """The first layer clears its whole centre; with `only`, just for the maps of that colour."""
    net = Net(channels)
    maps = slice(None) if only is None else slice(only * 4, only * 4 + 4)
    net.a.mask[maps, :, 1, 1] = 0
    return net


def twice_faulty(channels: int) -> Extra:
    """Sees itself everywhere, and in the last column the right neighbour."""
    return Extra(channels, lambda x: x + F.pad(x[..., -1:], (x.shape[-1] - 2, 1)))
