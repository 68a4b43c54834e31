"""Diagonal BiLSTM: two LSTMs that cross the image along its diagonals (van den Oord et al. 2016a, section 3.2, Figure 3, Table 1).

From the upper left corner, each pixel's state follows from those of its left and its upper neighbour, so that all pixels of a diagonal can
be computed at once. The paper skews the map for that, row r moved r places to the right, so that a diagonal becomes a column; here pixels
are put in the order of their diagonals, which is the same without the empty places of a skewed map. A second pass with weights of its own
comes from the upper right corner; its result is moved down one row before both are added, since it has seen what is to the right.

For what the paper leaves unsaid about both recurrent networks see `pixelbench.models.families.pixel_rnn`; beyond that:

| unsaid | here |
| --- | --- |
| which state lies beside and above the image? | the learned initial one, of each direction |
| which cell state goes on? | that of the left (right) neighbour, in a skewed map the one in the same row |
| mask of the second pass | B, as for the first one |

A pixel does *not* see every earlier one, other than the paper says: features of the row above never know that row's last pixel (each knows
what is before it, and the row ends there), so it is seen only where the first layer's window reaches it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.families.pixel_rnn import IncrementalRecurrentLayer, PixelRNN, RecurrentLayer, lstm, maps_first, places
from pixelbench.models.families.pixelcnn import pointwise
from pixelbench.models.layers.causal import CausalConv2d, initialise
from pixelbench.models.layers.scan import Walk, scan
from pixelbench.models.settings.lstm import DiagonalBiLSTMSettings


class DiagonalBiLSTM(PixelRNN):
    """See the module and `PixelRNN`."""

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: DiagonalBiLSTMSettings):
        layers = [DiagonalBiLSTMLayer(settings, channels) for _ in range(settings.layers)]
        super().__init__(channels, height, width, levels, settings, layers)


class DiagonalBiLSTMLayer(RecurrentLayer):
    """One layer; what both passes have lies side by side, the pass from the left first.

    `state` (2, 2h, 4h) holds the two taps of state-to-state: from the pixel above, and from the one beside.
    """

    def __init__(self, s: DiagonalBiLSTMSettings, groups: int):
        super().__init__(s, groups)
        self.left = pointwise(self.path, self.gates, s.colour_conditioning)
        self.right = pointwise(self.path, self.gates, s.colour_conditioning)
        self.state = nn.Parameter(torch.empty(2, 2 * s.maps, 4 * s.maps))
        self.first_hidden, self.first_cell = nn.Parameter(torch.empty(2, s.maps)), nn.Parameter(torch.zeros(2, s.maps))
        initialise(self.state, self.first_hidden, fan_in=2 * s.maps)

    def recur(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        order, back = diagonal_order(height, width, x.device)
        pixels = F.pad(maps_first(x), (0, 0, 0, 0, 0, 1), value=1.0)  # biases are the weights of a map of 1
        both = pixels.index_select(1, order.flatten()).view(-1, 2, height * width, batch).transpose(0, 1)
        weights = torch.stack([torch.cat(self.input_to_state(direction)) for direction in (self.left, self.right)])
        walk = diagonals(height, width)
        left, right = scan(both, weights, self.state, self.first_hidden, self.first_cell, walk)
        diagonal = torch.arange(height, device=x.device)[:, None] + torch.arange(width, device=x.device)
        # `walk.places()` at `back`, without a copy to the device: from one diagonal to the next there are two initial states more.
        slots = back + walk.steps[0][1] + 2 * torch.stack([diagonal, diagonal.flip(1)]).flatten(1)
        lower = F.pad(slots[1, :-width], (width, 0))  # slot 0 holds 0
        return (left.index_select(1, slots[0]) + right.index_select(1, lower)).view(-1, height, width, batch).permute(3, 0, 1, 2)

    @staticmethod
    def input_to_state(layer: CausalConv2d) -> tuple[Tensor, Tensor]:
        """A 1x1 convolution as a matrix (inputs, outputs) and a bias (1, outputs)."""
        return (layer.weight * layer.mask)[:, :, 0, 0].T, layer.bias[None]

    def incremental(self, batch: int, width: int) -> "IncrementalDiagonalBiLSTM":
        return IncrementalDiagonalBiLSTM(self, batch, width)


def diagonal_order(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pixels in the order of the diagonals, from the upper left corner and from the upper right one, each diagonal from its top.

    Returns:
        (2, H * W) raster places in that order, and the inverse: where in that order each raster place is.
    """
    row, column = torch.arange(height, device=device)[:, None], torch.arange(width, device=device)
    order = torch.stack([(row + beside).flatten().argsort(stable=True) for beside in (column, column.flip(0))])
    return order, order.argsort(1)


def diagonals(height: int, width: int) -> Walk:
    """The diagonals in that order. Before and after the places of each is an initial state, for the row above and the row below.

    The first diagonal reads a block of initial states alone. The row above is outside of the image where a diagonal begins in its first
    row, the row below where the next diagonal is the first to have a place there; otherwise nobody reads these slots. Slot 0 holds 0.
    """
    steps, initial, top, block = [], [1, 2], 0, 1
    for diagonal in range(height + width - 1):
        rows = range(max(0, diagonal - width + 1), min(diagonal, height - 1) + 1)
        read, block = block + rows.start - top, 3 if not steps else steps[-1][1] + steps[-1][2] + 1
        steps.append((read, block + 1, len(rows)))
        initial += [block, block + 1 + len(rows)]
        top = rows.start
    return Walk(tuple(steps), steps[-1][1] + steps[-1][2] + 1, tuple(initial), taps=2, own=1)


class IncrementalDiagonalBiLSTM(IncrementalRecurrentLayer):
    """A `DiagonalBiLSTMLayer` in raster order: the pass from the left a sub-pixel at a time, the one from the right a row late, at once.

    Rows of states have a place more than the image: place 0 is the initial state, before the row's first pixel.
    """

    def __init__(self, layer: DiagonalBiLSTMLayer, batch: int, width: int):
        super().__init__(layer, batch, width)
        self.input, self.first = layer.left.incremental(batch, width), True
        hidden, cell = (state[:, None, None].repeat(1, batch, width + 1, 1) for state in (layer.first_hidden, layer.first_cell))
        (self.left, self.right), (left_cell, self.right_cell) = hidden.unbind(0), cell.unbind(0)
        self.hiddens, self.cells = places(self.left, layer.inner), places(left_cell, layer.inner)
        self.before = [self.left[:, column] for column in range(width)]
        self.above, beside = layer.state.chunk(2, 1)
        gates = [[i for i, of in enumerate(layer.gates) if of == colour] for colour in range(max(layer.gates) + 1)]
        self.beside = [beside[0][:, torch.tensor(part).to(beside.device)].contiguous() for part in gates]
        (self.right_input, self.right_bias), self.right_beside = layer.input_to_state(layer.right), beside[1]
        self.shifted = torch.zeros_like(self.right[:, 1:])
        self.arrived = places(self.shifted, layer.inner)

    def begin_row(self) -> None:
        super().begin_row()
        if not self.first:
            self.come_from_the_right(self.input.written())
        self.first = False
        self.input.begin_row(self.left[:, 1:] @ self.above[0])

    def come_from_the_right(self, x: Tensor) -> None:
        """The pass from the right over the row that has just been completed, (B, W, 2h)."""
        mirrored = x.flip(1)
        drive = self.right_bias + mirrored @ self.right_input + self.right[:, 1:] @ self.above[1]
        hidden, cell = self.right[:, 0], self.right_cell[:, 0]
        for column in range(x.shape[1]):
            hidden, cell = lstm(torch.addmm(drive[:, column], hidden, self.right_beside), cell)
            self.right[:, column + 1] = hidden
        self.shifted.copy_(self.right[:, 1:].flip(1))

    def hidden(self, x: Tensor, column: int, colour: int) -> Tensor:
        self.input.write(column, colour, x)
        drive = torch.addmm(self.input.read(column, colour), self.before[column], self.beside[colour])
        hidden, cell = lstm(drive, self.cells[column][colour])
        self.hiddens[column + 1][colour].copy_(hidden)
        self.cells[column + 1][colour].copy_(cell)
        return hidden + self.arrived[column][colour]
