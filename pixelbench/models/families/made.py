"""MADE: a masked autoencoder whose output d sees inputs before d only (Germain, Gregor, Murray and Larochelle 2015).

Every hidden unit has a degree m from 1 to D - 1 and may see the first m inputs: those of the layer below whose degree is at most its own.
Output d sees units of degree below d. Degrees are drawn at random, so that each set of them is a mask of its own on the same weights. With
K masks in one order an update trains the next of them in turn, and the model is their mixture: p(x) = mean over k of p_k(x).

| unsaid, or as the authors' code has it | here |
| --- | --- |
| order: the code shuffles it always, and with several masks for each ("Full") | one order for all masks: raster, or random by a seed |
| several masks: the code takes the log of the mean likelihood of 33 | the same, of K; sampler, scorer and conditionals agree |
| degrees | as the code: uniform, of deeper layers from the least of the layer below; by `mask_seed`, the same in all runs |
| connections from inputs to outputs: the code's best command has them | a setting, `direct`; never between hidden layers |
| units | rectified, as that command's `hinge` |
| start of the weights: that command's are orthogonal | uniform, variance 2 or 1 over the mean number of inputs that a mask lets through |
| start of the output biases | the marginals' log-odds over the first training batch, half an image of each level added |
| weights that depend on masks (`use_cond_mask`) | none, as in that command |
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.heads import outside_autocast
from pixelbench.models.layers.causal import initialise
from pixelbench.models.layers.masked import masked_product
from pixelbench.models.layers.mixing import MixedSteps, mixed_log_prob, mixed_logits
from pixelbench.models.layers.sequence import SequenceModel, Steps
from pixelbench.models.settings.predecessors import MADESettings


class MADE(SequenceModel):
    """See the module.

    Attributes:
        weights: (H, D), (H, H) for each deeper layer, and (D, H); `biases` (H,) of the hidden layers; `bias` (D,) of the outputs.
        direct: (D, D) from inputs to outputs, or None.
        degrees: (K, layers, H) of the hidden units.
        mask: which of the masks an update trains.
    """

    settings: MADESettings
    degrees: Tensor

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: MADESettings):
        super().__init__(channels, height, width, levels, settings)
        widths = [self.size, *[settings.hidden] * settings.layers, self.size]
        self.weights = nn.ParameterList(torch.empty(b, a) for a, b in itertools.pairwise(widths))
        self.biases = nn.ParameterList(torch.empty(b) for b in widths[1:-1])
        self.bias = nn.Parameter(torch.empty(self.size))
        self.direct = nn.Parameter(torch.empty(self.size, self.size)) if settings.direct else None
        for i, (weight, bias) in enumerate(zip(self.weights, [*self.biases, self.bias], strict=True)):
            rectified = 1 if i == 0 else 2  # half of what comes from rectified units is zero
            initialise(weight, bias, fan_in=weight.shape[1] / 2 / rectified)  # a mask lets through about half
        if self.direct is not None:
            initialise(self.direct, self.bias, fan_in=self.size / 2)
        self.register_buffer("degrees", torch.from_numpy(_degrees(settings, self.size)), persistent=False)
        self.mask = 0

    def net(self, k: int, bits: Tensor) -> Tensor:
        """Logits (B, D) by the k-th mask alone."""
        places = torch.arange(1, self.size + 1, device=bits.device)
        x, before = bits, places
        for weight, bias, degrees in zip(self.weights, self.biases, self.degrees[k], strict=False):
            x = F.relu(masked_product(x, weight, degrees, before) + bias)
            before = degrees
        logits = outside_autocast(masked_product, x, self.weights[-1], places - 1, before) + self.bias
        return logits if self.direct is None else logits + outside_autocast(masked_product, bits, self.direct, places - 1, places)

    def logits(self, bits: Tensor) -> Tensor:
        if self.settings.masks == 1:
            return self.net(0, bits)
        return mixed_logits(self._log_weights(bits.device), self._nets(bits), bits)

    def log_prob(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        bits = self.bits(self._checked(images))
        return mixed_log_prob(self._log_weights(bits.device), self._nets(bits), bits)

    def loss(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Mean nats per sub-pixel by the mask of this update."""
        logits = self.net(self.mask, self.bits(self._checked(images)))
        return outside_autocast(self.output.nats, self.as_images(logits)[:, None], images).mean()

    def begin_update(self, update: int) -> None:
        self.mask = update % self.settings.masks

    def steps(self, batch: int) -> Steps:
        nets = MADESteps(self, batch)
        return nets if self.settings.masks == 1 else MixedSteps(self._log_weights(self.device), nets, batch)

    def _log_weights(self, device: torch.device) -> Tensor:
        """(K,) of the mixture, all equal."""
        masks = self.settings.masks
        return torch.full((masks,), -math.log(masks), dtype=torch.float64, device=device)

    def _nets(self, bits: Tensor) -> Tensor:
        """(B, K, D)."""
        return torch.stack([self.net(k, bits) for k in range(self.settings.masks)], 1)


class MADESteps:
    """All masks bit by bit; each hidden unit is computed once, when as many bits are set as its degree says.

    What a unit has been given is then all that its mask lets through, so that no mask is applied: it is read at that moment only, and the
    first layer's sums are the same for all masks.
    """

    def __init__(self, model: MADE, batch: int):
        self.model, self.step = model, 0
        count, layers, _ = model.degrees.shape
        # From the settings: degrees that lie on a device need not be read back.
        self.units = [
            [[units.to(model.device) for units in _by_degree(degrees, model.size)] for degrees in net]
            for net in _degrees(model.settings, model.size)
        ]
        self.first = model.biases[0].expand(batch, -1)  # (B, H)
        self.deeper = [[bias.repeat(batch, 1) for bias in list(model.biases)[1:layers]] for _ in range(count)]
        self.outputs = [model.bias.repeat(batch, 1) for _ in range(count)]

    def logit(self) -> Tensor:
        """(B, K), or (B,) of a single mask."""
        found = torch.stack([outputs[:, self.step] for outputs in self.outputs], 1)
        return found[:, 0] if self.model.settings.masks == 1 else found

    def put(self, bits: Tensor) -> None:
        model, place = self.model, self.step
        self.first = torch.addcmul(self.first, bits[:, None], model.weights[0][:, place])
        self.step += 1
        for k, outputs in enumerate(self.outputs):
            if model.direct is not None:
                outputs += bits[:, None] * model.direct[:, place]
            sums = [self.first, *self.deeper[k], outputs]
            for layer, by_degree in enumerate(self.units[k]):
                units = by_degree[self.step]
                sums[layer + 1] += F.relu(sums[layer][:, units]) @ model.weights[layer + 1][:, units].T


def _by_degree(degrees: np.ndarray, size: int) -> list[Tensor]:
    """The units of each degree from 0 to D."""
    counts = np.bincount(degrees, minlength=size + 1)
    return list(torch.tensor(degrees.argsort(kind="stable")).split(counts.tolist()))


def _degrees(settings: MADESettings, size: int) -> np.ndarray:
    """(K, layers, H) from 1 to D - 1; by a generator whose numbers numpy keeps from version to version."""
    chance = np.random.RandomState(settings.mask_seed)
    found = np.empty((settings.masks, settings.layers, settings.hidden), np.int64)
    for net in found:
        least = 1
        for layer in net:
            layer[:] = chance.randint(least, max(size, least + 1), settings.hidden)
            least = layer.min()
    return found
