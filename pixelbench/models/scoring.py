"""Scoring many images in batches of bounded memory."""

import torch
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel

#: About how many output values one batch may have: 2^24 floats are 64 MiB.
_OUTPUTS = 1 << 24


@torch.inference_mode()
def batched_nats(model: AutoregressiveModel, images: Tensor) -> Tensor:
    """(N,) float64 negative log-likelihood in nats of every image (N, C, H, W), in eval mode, in the weights' own precision."""
    channels, height, width = model.shape
    size = max(1, min(256, _OUTPUTS // (model.levels * channels * height * width)))
    was_training = model.training
    model.eval()
    try:
        parts = [-model.log_prob(batch.to(model.device)) for batch in images.split(size)]
    finally:
        model.train(was_training)
    return torch.cat(parts)
