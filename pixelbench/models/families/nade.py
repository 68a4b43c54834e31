"""NADE, the neural autoregressive distribution estimator (Larochelle and Murray 2011).

h_d = sigmoid(c + sum over i < d of W_i x_i) and log-odds of bit d = b_d + V_d . h_d: one hidden layer a bit, all with the same weights, so
that each differs from the one before by one product x_d W_d. All D conditionals of an image cost D x H additions and sigmoids, no matrix
product: the work is taken a few bits at a time, so that the hidden layers of a whole batch (B x D x H) are never in memory, and computed
again on the way back.

| unsaid | here |
| --- | --- |
| order | raster, or random by a seed: a setting |
| whether W and V are tied | not tied |
| start of the weights | uniform, variance 1/D and 1/H |
| start of b | the marginals' log-odds over the first training batch, half an image of each level added; c from 0 |
| training | the recipe's |
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pixelbench.models.heads import without_autocast
from pixelbench.models.layers.causal import initialise
from pixelbench.models.layers.sequence import SequenceModel
from pixelbench.models.settings.predecessors import NADESettings

#: Numbers of hidden layers at once: 2^19 float32, 2 MiB, stay in the cache.
_AT_ONCE = 1 << 19


class NADE(SequenceModel):
    """See the module. `weight` (D, H) is W, `hidden_bias` (H,) c, `out` (D, H) V, `bias` (D,) b, bits in the model's order."""

    settings: NADESettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: NADESettings):
        super().__init__(channels, height, width, levels, settings)
        self.weight = nn.Parameter(torch.empty(self.size, settings.hidden))
        self.hidden_bias = nn.Parameter(torch.empty(settings.hidden))
        self.out = nn.Parameter(torch.empty(self.size, settings.hidden))
        self.bias = nn.Parameter(torch.empty(self.size))
        initialise(self.weight, self.hidden_bias, fan_in=self.size)
        initialise(self.out, self.bias, fan_in=settings.hidden)

    def logits(self, bits: Tensor) -> Tensor:
        return _Cumulative.apply(bits, self.weight, self.hidden_bias, self.out) + self.bias

    def steps(self, batch: int) -> "NADESteps":
        return NADESteps(self, batch)


class NADESteps:
    """One product and one hidden layer a bit."""

    def __init__(self, model: NADE, batch: int):
        self.model, self.step = model, 0
        self.activations = model.hidden_bias.expand(batch, -1)

    def logit(self) -> Tensor:
        return self.activations.sigmoid() @ self.model.out[self.step] + self.model.bias[self.step]

    def put(self, bits: Tensor) -> None:
        self.activations = torch.addcmul(self.activations, bits[:, None], self.model.weight[self.step])
        self.step += 1


class _Cumulative(torch.autograd.Function):
    """V_d . sigmoid(c + sum over i < d of W_i x_i) of all d: (B, D), from bits (B, D), W (D, H), c (H,) and V (D, H)."""

    @staticmethod
    def forward(ctx: Any, bits: Tensor, weight: Tensor, bias: Tensor, out: Tensor) -> Tensor:
        work = _Chunks(bits, weight, out)
        logits = bits.new_empty(work.size, len(bits))
        activations, starts = bias.expand(len(bits), -1), []
        with without_autocast(bits.device.type):
            for part in work.parts:
                starts.append(activations.clone())
                hidden, activations = work.hidden(part, activations)
                torch.bmm(hidden, out[part, :, None], out=logits[part, :, None])
        ctx.save_for_backward(bits, weight, out, *starts)
        return logits.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:  # type: ignore[override]
        bits, weight, out, *starts = ctx.saved_tensors
        work = _Chunks(bits, weight, out)
        slopes = work.memory()
        by_weight, by_out = torch.empty_like(weight), torch.empty_like(out)
        by_bits = torch.empty_like(work.columns) if ctx.needs_input_grad[0] else None
        later = torch.zeros_like(starts[0])  # derivative by the activations after a bit, from all later ones
        columns = grad.T.contiguous()
        with without_autocast(bits.device.type):
            for part, start in zip(reversed(work.parts), reversed(starts), strict=True):
                hidden, _ = work.hidden(part, start)
                torch.bmm(columns[part, None], hidden, out=by_out[part, None])
                slope = torch.mul(columns[part, :, None], out[part, None], out=slopes[: len(hidden)])
                torch.ops.aten.sigmoid_backward.grad_input(slope, hidden, grad_input=slope)
                for i in reversed(range(part.start, part.stop)):
                    torch.mv(later.T, work.columns[i], out=by_weight[i])
                    if by_bits is not None:
                        torch.mv(later, weight[i], out=by_bits[i])
                    later += slope[i - part.start]
        return None if by_bits is None else by_bits.T, by_weight, later.sum(0), by_out


class _Chunks:
    """The hidden layers of a few bits of all images at a time, in one piece of memory."""

    def __init__(self, bits: Tensor, weight: Tensor, out: Tensor):
        (self.batch, self.size), self.width = bits.shape, weight.shape[1]
        self.weight, self.columns = weight, bits.T.contiguous()
        self.most = max(1, min(self.size, _AT_ONCE // (self.batch * self.width)))
        self.parts = [slice(i, min(i + self.most, self.size)) for i in range(0, self.size, self.most)]
        self._memory = weight.new_empty(self.most + 1, self.batch, self.width)

    def memory(self) -> Tensor:
        """As much again: (bits at a time, B, H)."""
        return torch.empty_like(self._memory[1:])

    def hidden(self, part: slice, activations: Tensor) -> tuple[Tensor, Tensor]:
        """The part's hidden layers (n, B, H), valid until the next call, and the activations (B, H) after its bits."""
        rows = self._memory
        rows[0] = activations
        for i in range(part.start, part.stop):
            torch.addcmul(rows[i - part.start], self.columns[i, :, None], self.weight[i], out=rows[i - part.start + 1])
        count = part.stop - part.start
        after = rows[count].clone()
        return rows[:count].sigmoid_(), after
