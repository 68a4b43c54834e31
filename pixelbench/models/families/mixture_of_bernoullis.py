"""Mixture of Bernoullis: K images of probabilities and how likely each is, fitted by expectation maximisation.

p(x) = sum over k of w_k prod over d of t_kd^x_d (1 - t_kd)^(1 - x_d), exactly. As an autoregressive model its conditionals are those of the
components weighed by their posterior given the bits so far, so that it is certified, scored and sampled like the others. On binarised MNIST
published by Larochelle and Murray (2011), with 10 and 500 components.

| unsaid | here |
| --- | --- |
| how many iterations of EM, from where | settings; each component from the middle between the marginals and a training image of its own |
| pixels that no image of a component has on | `pseudo_count` images of the marginals are added to each component |
| several fits | `restarts`; the likeliest by its training images |
| order | raster, or random by a seed: of no consequence for the likelihood, only for conditionals and completions |
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelbench.models.layers.mixing import MixedSteps, mixed_logits
from pixelbench.models.layers.sequence import SequenceModel
from pixelbench.models.settings.predecessors import MixtureOfBernoullisSettings

#: Training images at once: large enough for good matrix products.
_IMAGES = 2_000


class MixtureOfBernoullis(SequenceModel):
    """See the module. `table` (K, D): log-odds of each component in the model's order; `log_weights` (K,); both float64."""

    settings: MixtureOfBernoullisSettings
    table: Tensor
    log_weights: Tensor
    start: Tensor

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: MixtureOfBernoullisSettings):
        super().__init__(channels, height, width, levels, settings)
        components = settings.components
        self.register_buffer("table", torch.randn(components, self.size, dtype=torch.float64) / self.size**0.5)
        self.register_buffer("log_weights", torch.full((components,), -math.log(components), dtype=torch.float64))
        self.register_buffer("start", torch.randint(2**31, ()), persistent=False)

    def logits(self, bits: Tensor) -> Tensor:
        return mixed_logits(self.log_weights, self.table[None], bits)

    def steps(self, batch: int) -> MixedSteps:
        return MixedSteps(self.log_weights, _TableSteps(self.table), batch)

    def log_prob(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        bits = self.bits(self._checked(images)).double()
        table = self.table.double()
        return (bits @ table.T + (self.log_weights.double() + F.logsigmoid(-table).sum(1))).logsumexp(1)

    def fit(self, images: Tensor) -> None:
        """Learn from training images (N, C, H, W) by EM, from other starts as often as there are restarts."""
        generator = torch.Generator().manual_seed(int(self.start))
        best = -math.inf
        bits = self.in_order(images)  # once and for all iterations; a byte a bit, eight times less than the float64 of the products
        marginals = _marginals(bits)
        for _ in range(self.settings.restarts):
            table, weights, reached = self._fitted(bits, marginals, generator)
            if reached > best:
                best = reached
                self.table.copy_(table)
                self.log_weights.copy_(weights)

    def _fitted(self, bits: Tensor, marginals: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
        """Table, log weights, and the log-likelihood of the training images before the last step."""
        components, pseudo = self.settings.components, self.settings.pseudo_count
        chosen = torch.randint(len(bits), (components,), generator=generator).to(bits.device)
        table = ((bits[chosen].to(marginals.dtype) + marginals) / 2).logit()
        weights = torch.full_like(self.log_weights, -math.log(components))
        reached = -math.inf
        for _ in range(self.settings.iterations):
            counts, ones, reached = self._expected(bits, table, weights)
            table = ((ones + pseudo * marginals) / (counts + pseudo)[:, None]).logit()
            weights = (counts + pseudo).log() - (counts + pseudo).sum().log()
        return table, weights, reached

    def _expected(self, images: Tensor, table: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, float]:
        """Of bits (N, D): how many images each component accounts for (K,), how many of their bits are on (K, D), the log-likelihood."""
        counts, ones, reached = torch.zeros_like(weights), torch.zeros_like(table), 0.0
        constant = weights + F.logsigmoid(-table).sum(1)
        for part in images.split(_IMAGES):
            bits = part.to(table.dtype)
            joint = torch.addmm(constant, bits, table.T)
            total = joint.logsumexp(1, keepdim=True)
            shares = (joint - total).exp_()  # (B, K)
            counts += shares.sum(0)
            ones.addmm_(shares.T, bits)
            reached += float(total.sum())
        return counts, ones, reached


class _TableSteps:
    """All components bit by bit: what they say does not depend on what was drawn."""

    def __init__(self, table: Tensor):
        self.columns = iter(table.T)

    def logit(self) -> Tensor:
        return next(self.columns)[None]

    def put(self, bits: Tensor) -> None:
        """A component's bits are independent."""


def _marginals(bits: Tensor) -> Tensor:
    """(N, D) → (D,) float64 share of images with the bit on, half an image of each level added."""
    return (bits.sum(0, dtype=torch.float64) + 0.5) / (len(bits) + 1)
