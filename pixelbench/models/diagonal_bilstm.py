"""Diagonal BiLSTM: two LSTMs that cross the image along its diagonals (van den Oord et al. 2016a, section 3.2, Figure 3, Table 1).

From the upper left corner, each pixel's state follows from those of its left and its upper neighbour, so that all pixels of a diagonal can
be computed at once. The paper skews the map for that, row r moved r places to the right, so that a diagonal becomes a column; here pixels
are put in the order of their diagonals, which is the same without the empty places of a skewed map. A second pass with weights of its own
comes from the upper right corner; its result is moved down one row before both are added, since it has seen what is to the right.

For what the paper leaves unsaid about both recurrent networks see `pixelbench.models.lstm`; beyond that:

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

from pixelbench.models.causal import CausalConv2d, initialise
from pixelbench.models.lstm import PixelRNN, RecurrentFace, RecurrentLayer, lstm, places
from pixelbench.models.pixelcnn import pointwise
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
        total = height * width
        order, back = diagonal_order(height, width, x.device)
        pixels = x.flatten(2).permute(2, 0, 1).contiguous()
        both = pixels.index_select(0, order.flatten()).view(2, total * batch, -1)
        weights, biases = zip(*(self.input_to_state(direction) for direction in (self.left, self.right)), strict=True)
        gates = torch.baddbmm(torch.stack(biases)[:, None], both, torch.stack(weights)).view(2, total, batch, -1)
        states = self.scan(gates, height, width).flatten(0, 1)
        left, right = states.index_select(0, torch.cat([back[0], back[1] + total])).view(2, height, width, batch, -1)
        return (left + F.pad(right[:-1], (0, 0, 0, 0, 0, 0, 1, 0))).permute(2, 3, 0, 1)

    def scan(self, gates: Tensor, height: int, width: int) -> Tensor:
        """Input-to-state of all pixels in the order of the diagonals (2, H * W, B, 4h) → hidden states (2, H * W, B, h)."""
        batch = gates.shape[2]
        first_hidden, first_cell = (state[:, None, None].expand(-1, -1, batch, -1) for state in (self.first_hidden, self.first_cell))
        rows = [range(max(0, d - width + 1), min(d, height - 1) + 1) for d in range(height + width - 1)]
        hidden, cell, top, found = first_hidden[:, :0], first_cell[:, :0], 0, []
        for here, drive in zip(rows, gates.split([len(r) for r in rows], 1), strict=True):
            # The diagonal before, from the row above its uppermost pixel to the row below its lowest one, where no pixel was.
            before = torch.cat([first_hidden, hidden, first_hidden], 1)
            moved = here.start - top  # by how many rows this diagonal begins lower than the one before: 0 or 1
            above, beside = before[:, moved : moved + len(here)], before[:, moved + 1 : moved + 1 + len(here)]
            drive = torch.baddbmm(drive.flatten(1, 2), torch.cat([above, beside], 3).flatten(1, 2), self.state)
            cell = torch.cat([cell, first_cell], 1)[:, moved : moved + len(here)]
            hidden, cell = lstm(drive.view(2, len(here), batch, -1), cell)
            found.append(hidden)
            top = here.start
        return torch.cat(found, 1)

    @staticmethod
    def input_to_state(layer: CausalConv2d) -> tuple[Tensor, Tensor]:
        """A 1x1 convolution as a matrix (inputs, outputs) and a bias."""
        return (layer.weight * layer.mask)[:, :, 0, 0].T, layer.bias

    def face(self, batch: int, width: int) -> "DiagonalBiLSTMFace":
        return DiagonalBiLSTMFace(self, batch, width)


def diagonal_order(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pixels in the order of the diagonals, from the upper left corner and from the upper right one, each diagonal from its top.

    Returns:
        (2, H * W) raster places in that order, and the inverse: where in that order each raster place is.
    """
    row, column = torch.arange(height, device=device)[:, None], torch.arange(width, device=device)
    order = torch.stack([(row + beside).flatten().argsort(stable=True) for beside in (column, column.flip(0))])
    return order, order.argsort(1)


class DiagonalBiLSTMFace(RecurrentFace):
    """A `DiagonalBiLSTMLayer` in raster order: the pass from the left a sub-pixel at a time, the one from the right a row late, at once.

    Rows of states have a place more than the image: place 0 is the initial state, before the row's first pixel.
    """

    def __init__(self, layer: DiagonalBiLSTMLayer, batch: int, width: int):
        super().__init__(layer, batch, width)
        self.input, self.first = layer.left.face(batch, width), True
        hidden, cell = (state[:, None, None].repeat(1, batch, width + 1, 1) for state in (layer.first_hidden, layer.first_cell))
        (self.left, self.right), (left_cell, self.right_cell) = hidden.unbind(0), cell.unbind(0)
        self.hiddens, self.cells = places(self.left, layer.inner), places(left_cell, layer.inner)
        self.before = [self.left[:, column] for column in range(width)]
        self.above, beside = layer.state.chunk(2, 1)
        gates = torch.tensor(layer.gates, device=beside.device)
        self.beside = [beside[0][:, gates == colour].contiguous() for colour in range(max(layer.gates) + 1)]
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
