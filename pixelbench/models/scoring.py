"""Scoring many images in batches of bounded memory."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pixelbench import pulse
from pixelbench.models.base import AutoregressiveModel

#: About how many output values one batch may have: 2^24 floats are 64 MiB.
_OUTPUTS = 1 << 24


def largest_batch(model: AutoregressiveModel) -> int:
    """How many images at once have outputs of bounded memory."""
    channels, height, width = model.shape
    return max(1, min(256, _OUTPUTS // (model.levels * channels * height * width)))


def _can_take_turns(model: AutoregressiveModel) -> bool:
    """Whether batches can be left out; of a bound whose draws cannot, the first process scores all."""
    return not model.latent or type(model).pass_over is not AutoregressiveModel.pass_over


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Convolutions and matrix products of float32 in float32, not in TF32 of 10 bits; afterwards all is as it was.

    On CUDA, torch takes TF32 for convolutions by itself. Set by torch's newer settings: what was set by the older ones (`allow_tf32`) comes
    back as well, and the two cannot be mixed the other way round.
    """
    cudnn: Any = torch.backends.cudnn  # pyright does not see all of it
    backends = (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul)
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


@torch.inference_mode()
@exact_products()
def batched_nats(
    model: AutoregressiveModel, images: Tensor, condition: Tensor | None = None, *, turn: tuple[int, int] = (0, 1), **estimation: Any
) -> Tensor:
    """(N,) float64 negative log-likelihood in nats of every image (N, C, H, W), in eval mode, in the weights' own precision.

    Args:
        model: any family.
        images: integers.
        condition: (N, …) for a model that needs it.
        turn: `(i, n)`, the batches in turn go to n processes and this is the i-th: images of the others' have 0, so that the sum over
            all processes is the whole, bit for bit.
        estimation: `generator` and `importance_samples` for a model whose likelihood is a bound.
    """
    size = largest_batch(model)
    was_training = model.training
    model.eval()
    try:
        parts = []
        for number, first in enumerate(range(0, len(images), size)):
            pulse.beat()
            part = slice(first, first + size)
            if turn[1] > 1 and (number % turn[1] if _can_take_turns(model) else 0) != turn[0]:
                model.pass_over(len(images[part]), **estimation)
                parts.append(torch.zeros(len(images[part]), dtype=torch.float64, device=model.device))
                continue
            given = () if condition is None else (condition[part].to(model.device),)
            parts.append(-model.log_prob(images[part].to(model.device), *given, **estimation))
    finally:
        model.train(was_training)
    return torch.cat(parts)
