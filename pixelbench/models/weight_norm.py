"""Weight normalisation of a network: each output's weights are a gain times a direction of length one (Salimans and Kingma 2016, eq. 2).

Of a masked layer the length is over the taps that the mask lets through, so that what is never read changes nothing. The gains start as the
lengths of the weights, and the network as the function that it was; nothing is initialised from data (section 3 of that paper).

PixelCNN++ and PixelSNAIL have layers of their own with it, see `pixelbench.models.layers.shifted`.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from pixelbench.models.layers.causal import CausalConv2d, RowsAboveConv2d
from pixelbench.models.layers.condition import ConditionBias

#: A direction whose length is below this has no tap that is let through, and its weights are 0.
_LEAST_LENGTH = 1e-30
#: Layers without a mask, and which axis of their weight counts the outputs.
_PLAIN: dict[type[nn.Module], int] = {nn.Conv2d: 0, nn.Linear: 0, nn.ConvTranspose2d: 1, RowsAboveConv2d: 0, ConditionBias: 0}


def normalise_weights(network: nn.Module) -> None:
    """Give every layer of the network a gain and a direction in place of its weight; what has them already is left as it is."""
    for layer in list(network.modules()):
        if parametrize.is_parametrized(layer):
            continue
        if isinstance(layer, CausalConv2d):
            parametrize.register_parametrization(layer, "weight", MaskedWeightNorm(layer.mask))
        elif type(layer) in _PLAIN:
            parametrizations.weight_norm(layer, dim=_PLAIN[type(layer)])


class MaskedWeightNorm(nn.Module):
    """(gain, direction) → weight: as torch's own for axis 0, by the taps that the mask lets through."""

    mask: Tensor

    def __init__(self, mask: Tensor):
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, gain: Tensor, direction: Tensor) -> Tensor:
        """(outputs, 1, 1, 1), (outputs, inputs, rows, columns) → the weight, 0 where the mask is."""
        seen = direction * self.mask
        return seen * (gain / self._length(seen))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and direction of a weight."""
        return torch.linalg.vector_norm(weight * self.mask, dim=(1, 2, 3), keepdim=True), weight

    def _length(self, seen: Tensor) -> Tensor:
        return torch.linalg.vector_norm(seen, dim=(1, 2, 3), keepdim=True).clamp(min=_LEAST_LENGTH)
