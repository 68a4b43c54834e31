"""Row LSTM: an LSTM that goes down the image a row at a time (van den Oord et al. 2016a, section 3.1, Table 1).

Input-to-state is a convolution along the row with mask B, state-to-state a convolution of the hidden row above without a mask; the cell
state comes from the pixel above. The context is the triangle above a pixel, widened by the first layer's window. For what the paper leaves
unsaid about both recurrent networks see `pixelbench.models.families.pixel_rnn`; beyond that:

| unsaid | here |
| --- | --- |
| depth and width of the MNIST network | none claimed |
| hidden states beside the image | 0, as beside any convolution; above the image the learned initial state |
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.families.pixel_rnn import IncrementalRecurrentLayer, PixelRNN, RecurrentLayer, lstm, places
from pixelbench.models.layers.causal import CausalConv2d, initialise
from pixelbench.models.layers.scan import Walk, scan
from pixelbench.models.settings.lstm import RowLSTMSettings


class RowLSTM(PixelRNN):
    """See the module and `PixelRNN`."""

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: RowLSTMSettings):
        layers = [RowLSTMLayer(settings, channels) for _ in range(settings.layers)]
        super().__init__(channels, height, width, levels, settings, layers)


class RowLSTMLayer(RecurrentLayer):
    """One layer. `state` (kernel * h, 4h) holds the taps of state-to-state from left to right."""

    def __init__(self, s: RowLSTMSettings, groups: int):
        super().__init__(s, groups)
        self.kernel = s.kernel
        self.input = CausalConv2d(self.path, self.gates, s.kernel, above=False, itself=True, conditioning=s.colour_conditioning)
        self.state = nn.Parameter(torch.empty(s.kernel * s.maps, 4 * s.maps))
        self.first_hidden, self.first_cell = nn.Parameter(torch.empty(s.maps)), nn.Parameter(torch.zeros(s.maps))
        initialise(self.state, self.first_hidden, fan_in=len(self.state))

    def recur(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        row = F.pad(x.permute(1, 2, 3, 0), (0, 0, self.kernel // 2, 0))
        taps = [row[:, :, tap : tap + width].flatten(1) for tap in range(self.kernel // 2 + 1)]
        inputs = torch.cat([*taps, torch.ones_like(taps[0][:1])]).view(1, -1, height * width, batch)  # biases are the weights of a map of 1
        weights = torch.cat([(self.input.weight * self.input.mask)[:, :, 0].permute(2, 1, 0).flatten(0, 1), self.input.bias[None]])
        first = self.first_hidden[None], self.first_cell[None]
        states = scan(inputs, weights[None], self.state[None], *first, rows(height, width, self.kernel))[0]
        reach = self.kernel // 2
        return states.unflatten(1, (height + 1, -1))[:, 1:, reach : reach + width].permute(3, 0, 1, 2)

    def beside(self, hidden: Tensor) -> Tensor:
        """A row of hidden states (B, W, h) → (B * W, kernel * h): at each column those that state-to-state reads."""
        padded = F.pad(hidden, (0, 0, self.kernel // 2, self.kernel // 2))
        return torch.cat([padded[:, tap : tap + hidden.shape[1]] for tap in range(self.kernel)], 2).flatten(0, 1)

    def incremental(self, batch: int, width: int) -> "IncrementalRowLSTM":
        return IncrementalRowLSTM(self, batch, width)


def rows(height: int, width: int, kernel: int) -> Walk:
    """The rows of an image from the one above it. Slots on both sides of a row are 0, as beside any convolution."""
    reach = kernel // 2
    block = width + 2 * reach
    steps = tuple((row * block, (row + 1) * block + reach, width) for row in range(height))
    return Walk(steps, (height + 1) * block, tuple(range(reach, reach + width)), taps=kernel, own=reach)


class IncrementalRowLSTM(IncrementalRecurrentLayer):
    """A `RowLSTMLayer` in raster order: state-to-state once for a whole row, then a sub-pixel at a time.

    `row` and `cell` hold the states of this row up to the current sub-pixel, from there on those of the row above.
    """

    def __init__(self, layer: RowLSTMLayer, batch: int, width: int):
        super().__init__(layer, batch, width)
        self.layer, self.input = layer, layer.input.incremental(batch, width)
        self.row, self.cell = (state.repeat(batch, width, 1) for state in (layer.first_hidden, layer.first_cell))
        self.hiddens, self.cells = places(self.row, layer.inner), places(self.cell, layer.inner)

    def begin_row(self) -> None:
        super().begin_row()
        self.input.begin_row((self.layer.beside(self.row) @ self.layer.state).view(*self.row.shape[:2], -1))

    def hidden(self, x: Tensor, column: int, colour: int) -> Tensor:
        self.input.write(column, colour, x)
        cells = self.cells[column][colour]
        hidden, cell = lstm(self.input.read(column, colour), cells)
        self.hiddens[column][colour].copy_(hidden)
        cells.copy_(cell)
        return hidden
