"""Layers of PixelCNN++ and PixelSNAIL: causal by shifts instead of masks, weight-normalised (incremental mode: `shifted_incremental`).

A *down* layer sees the row and the rows above it in all columns near by, a *down-right* one the row above and this row up to the pixel
(Salimans et al. 2017, section 2.3). They read features of earlier pixels only: the network's first layers are moved by one row or
one column.

Weight normalisation and the initialisation from the first batch: Salimans and Kingma 2016, sections 2 and 3.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: A map whose variance over the first batch is below this is constant there: it is centred, but not blown up.
_LEAST_VARIANCE = 1e-8

Activation = Callable[[Tensor], Tensor]


def concat_elu(x: Tensor) -> Tensor:
    """(B, m, …) → (B, 2m, …): the ELU of x and of -x (Shang et al. 2016, with ELU for ReLU)."""
    return F.elu(torch.cat([x, -x], 1))


class Normed(nn.Module):
    """A layer whose weight is `gain` times a direction of length one for each output map, plus a bias.

    Args:
        size: of the weight.
        axis: which of its axes counts the outputs.
        scale: standard deviation of the outputs after `initialise_from`; what `gain` starts at without.
    """

    def __init__(self, size: tuple[int, ...], axis: int = 0, scale: float = 1.0):
        super().__init__()
        self.axis, self.scale, self.initialising = axis, scale, False
        self.direction = nn.Parameter(0.05 * torch.randn(size))
        self.gain = nn.Parameter(torch.full((size[axis],), scale))
        self.bias = nn.Parameter(torch.zeros(size[axis]))

    def weight(self) -> Tensor:
        """The weight that is applied."""
        others = [i for i in range(self.direction.dim()) if i != self.axis]
        length = torch.linalg.vector_norm(self.direction, dim=others, keepdim=True)
        return self.direction * (self.gain.view(length.shape) / length)

    def apply_weight(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The layer with that weight: (B, inputs, H, W) → (B, outputs, H', W')."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H', W')."""
        if self.initialising:
            self._initialise(x)
        return self.apply_weight(x, self.weight(), self.bias)

    @torch.no_grad()
    def _initialise(self, x: Tensor) -> None:
        self.gain.fill_(1.0)
        self.bias.zero_()
        variance, mean = torch.var_mean(self.apply_weight(x, self.weight(), self.bias), (0, 2, 3), correction=0)
        self.gain.copy_(torch.where(variance > _LEAST_VARIANCE, self.scale / variance.clamp(min=_LEAST_VARIANCE).sqrt(), self.scale))
        self.bias.copy_(-mean * self.gain)


class ShiftedConv2d(Normed):
    """A convolution over the rows above and this one; a *right* one ends at the pixel, another is centred on its column.

    Args:
        kernel: rows and columns; the last row is the pixel's own.
        right: down-right instead of down.
        stride: of rows and columns; output (i, j) is as that of stride 1 at (stride * i, stride * j).
    """

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], *, right: bool, stride: int = 1, scale: float = 1.0):
        super().__init__((outputs, inputs, *kernel), scale=scale)
        rows, columns = kernel
        side = columns // 2
        self.stride, self.left = stride, columns - 1 if right else side
        self.padding = (self.left, 0 if right else side, rows - 1, 0)

    def apply_weight(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, self.padding), weight, bias, self.stride)


class Pointwise(Normed):
    """A 1x1 convolution, "network in network"."""

    def __init__(self, inputs: int, outputs: int, scale: float = 1.0):
        super().__init__((outputs, inputs, 1, 1), scale=scale)

    def apply_weight(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(x, weight, bias)


class Expand2d(Normed):
    """A transposed convolution of stride 2: input (i, j) reaches rows 2i, 2i + 1 and columns 2j, 2j + 1; a down one column 2j - 1 too."""

    def __init__(self, maps: int, *, right: bool):
        super().__init__((maps, maps, 2, 2 if right else 3), axis=1)
        self.margin = 0 if right else 1

    def apply_weight(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv_transpose2d(x, weight, bias, 2, (0, self.margin), (0, self.margin))


def down_shift(x: Tensor) -> Tensor:
    """Each row to the next place below; the first one becomes 0."""
    return F.pad(x, (0, 0, 1, 0))[:, :, :-1]


def right_shift(x: Tensor) -> Tensor:
    """Each column to the next place to the right; the first one becomes 0."""
    return F.pad(x, (1, 0))[..., :-1]


def with_ones(x: Tensor) -> Tensor:
    """(B, m, H, W) → (B, m + 1, H, W): with a map of ones, which tells the image from the padding around it."""
    return torch.cat([x, torch.ones_like(x[:, :1])], 1)


class GatedBlock(nn.Module):
    """x + a * sigmoid(b): activation, layer, plus a 1x1 layer of another input; activation, dropout, layer to a and b (2017, section 2.5).

    Args:
        maps: of the residual path.
        extra: maps of the other input, 0 for none.
        layer: makes the two layers from inputs, outputs and scale: shifted convolutions or 1x1.
        activation: `concat_elu` or an ELU.
        dropout: probability that a value is left out in training.
        condition: numbers of a condition, which add a bias to a and b; 0 for none (2017, section 3.2).
    """

    def __init__(
        self,
        maps: int,
        extra: int,
        layer: Callable[[int, int, float], Normed],
        activation: Activation,
        dropout: float,
        condition: int = 0,
    ):
        super().__init__()
        wider = 2 if activation is concat_elu else 1
        self.activation = activation
        self.enter = layer(wider * maps, maps, 1.0)
        self.mix = Pointwise(wider * extra, maps) if extra else None
        self.drop = nn.Dropout(dropout)
        # A block starts near the identity, as in the authors' code.
        self.leave = layer(wider * maps, 2 * maps, 0.1)
        self.conditional = nn.Linear(condition, 2 * maps, bias=False) if condition else None
        if self.conditional is not None:
            nn.init.normal_(self.conditional.weight, std=0.05)  # as the code's, which leaves it so whatever the first batch is

    def forward(self, x: Tensor, extra: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        """(B, maps, H, W), (B, extra, H, W), (B, condition) → (B, maps, H, W)."""
        bias = self.bias(condition)
        return self.through(x, extra, None if bias is None else bias[..., None, None], self.enter, self.mix, self.leave)

    def bias(self, condition: Tensor | None) -> Tensor | None:
        """(B, 2 * maps) of a condition (B, n), to be added at every position."""
        return None if self.conditional is None or condition is None else self.conditional(condition)

    def through(
        self, x: Tensor, extra: Tensor | None, bias: Tensor | None, enter: Activation, mix: Activation | None, leave: Activation
    ) -> Tensor:
        """The block with these twins of its layers, and a condition's bias that fits their outputs."""
        h = enter(self.activation(x))
        if mix is not None and extra is not None:
            h = h + mix(self.activation(extra))
        both = leave(self.drop(self.activation(h)))
        value, switch = (both if bias is None else both + bias).chunk(2, 1)
        return x + value * torch.sigmoid(switch)


def initialise_from(model: nn.Module, images: Tensor, condition: Tensor | None = None) -> None:
    """Give each `Normed` layer, one after the other, outputs of mean 0 and its standard deviation over these images; without dropout."""
    layers = [layer for layer in model.modules() if isinstance(layer, Normed)]
    was_training = model.training
    model.eval()
    for layer in layers:
        layer.initialising = True
    try:
        with torch.no_grad():
            model(images) if condition is None else model(images, condition)
    finally:
        for layer in layers:
            layer.initialising = False
        model.train(was_training)
