"""Mixtures of nets that read one sequence of bits in the same order, exactly.

p(x) = sum over k of w_k p_k(x). Its conditionals are those of the nets, weighed by the posterior over the nets given the bits so far: the
k-th has w_k times its probability of those bits. (The mean of the conditionals with constant weights is another distribution; over nets of
several orders it is none at all.) All in float64, since nets differ by hundreds of nats.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelbench.models.layers.sequence import Steps

#: Numbers at once, of images x nets x bits: 2^22 are 32 MiB.
_AT_ONCE = 1 << 22


def mixed_logits(log_weights: Tensor, logits: Tensor, bits: Tensor) -> Tensor:
    """The mixture's logits.

    Args:
        log_weights: (K,), normalised.
        logits: (B, K, D) of each net; (1, K, D) where they are the same for all images.
        bits: (B, D).

    Returns:
        (B, D) float64.
    """
    images = max(1, _AT_ONCE // logits[0].numel())
    parts = [_mixed(log_weights, _part(logits, i, images), bits[i : i + images]) for i in range(0, len(bits), images)]
    return torch.cat(parts)


def mixed_log_prob(log_weights: Tensor, logits: Tensor, bits: Tensor) -> Tensor:
    """(B,) float64 log p(x) of whole images by the definition: the log of the weighed mean of the nets' likelihoods."""
    logits, bits = logits.double(), bits.double()
    ones = (bits[:, None] * logits).sum(2)  # log p(bit) = bit * logit + log p(0)
    return (log_weights.double() + ones + F.logsigmoid(-logits).sum(2)).logsumexp(1)


class MixedSteps:
    """The mixture bit by bit, from steps of all nets at once."""

    def __init__(self, log_weights: Tensor, nets: Steps, batch: int):
        self.nets = nets
        self.joint = log_weights.double().expand(batch, -1)  # (B, K) log of w_k times the probability of the bits so far
        self.logits = torch.empty(0)

    def logit(self) -> Tensor:
        self.logits = self.nets.logit().double()
        return _posterior_logit(self.joint, self.logits)

    def put(self, bits: Tensor) -> None:
        self.joint = self.joint + _log_prob(self.logits, bits[:, None].double())
        self.nets.put(bits)


def _mixed(log_weights: Tensor, logits: Tensor, bits: Tensor) -> Tensor:
    logits = logits.double()
    own = _log_prob(logits, bits[:, None].double())  # (B, K, D)
    before = F.pad(own.cumsum(2)[:, :, :-1], (1, 0))  # not the sum less the bit's own: rounding would let it see itself
    joint = log_weights.double()[:, None] + before
    return _posterior_logit(joint, logits)


def _posterior_logit(joint: Tensor, logits: Tensor) -> Tensor:
    """Both (B, K, …) → (B, …)."""
    return (joint + F.logsigmoid(logits)).logsumexp(1) - (joint + F.logsigmoid(-logits)).logsumexp(1)


def _log_prob(logits: Tensor, bits: Tensor) -> Tensor:
    return bits * logits + F.logsigmoid(-logits)


def _part(logits: Tensor, first: int, images: int) -> Tensor:
    return logits if len(logits) == 1 else logits[first : first + images]
