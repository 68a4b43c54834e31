"""Fully visible sigmoid belief network: each bit a logistic regression on all bits before it (Neal 1992; Frey 1998).

log-odds of bit d = b_d + sum over i < d of W_di x_i. With the biases alone it is the histogram. Published on binarised MNIST by Larochelle
and Murray (2011), who call it FVSBN.

| unsaid | here |
| --- | --- |
| order | raster, or random by a seed: a setting |
| start of the weights | uniform within 0.01: nearly the histogram, and a certificate sees every connection of an untrained net |
| start of the biases | the marginals' log-odds over the first training batch, half an image of each level added |
| training, regularisation | the recipe's; `weight_decay` is L2 on weights and biases |
"""

import torch
from torch import Tensor, nn

from pixelbench.models.heads import outside_autocast
from pixelbench.models.layers.masked import masked_product
from pixelbench.models.layers.sequence import SequenceModel
from pixelbench.models.settings.predecessors import FVSBNSettings

_START = 0.01


class FVSBN(SequenceModel):
    """See the module. `weight` (D, D): output by input, in the model's order; what is on or above the diagonal is never used."""

    settings: FVSBNSettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: FVSBNSettings):
        super().__init__(channels, height, width, levels, settings)
        self.weight = nn.Parameter(torch.empty(self.size, self.size))
        self.bias = nn.Parameter(torch.zeros(self.size))
        nn.init.uniform_(self.weight, -_START, _START)

    def logits(self, bits: Tensor) -> Tensor:
        places = torch.arange(self.size, device=bits.device)
        return outside_autocast(masked_product, bits, self.weight, places - 1, places) + self.bias

    def steps(self, batch: int) -> "FVSBNSteps":
        return FVSBNSteps(self, batch)


class FVSBNSteps:
    """One row of the weights a bit."""

    def __init__(self, model: FVSBN, batch: int):
        self.weight, self.bias = model.weight, model.bias
        self.seen = model.weight.new_zeros(batch, model.size)
        self.step = 0

    def logit(self) -> Tensor:
        return self.seen[:, : self.step] @ self.weight[self.step, : self.step] + self.bias[self.step]

    def put(self, bits: Tensor) -> None:
        self.seen[:, self.step] = bits
        self.step += 1
