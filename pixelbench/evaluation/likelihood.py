"""Exact likelihood of a whole split, with the error that the split's own structure demands."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.scoring import batched_nats, exact_products
from pixelbench.statistics import clustered_standard_error
from pixelbench.units import bits_per_dim


@dataclass(frozen=True)
class SplitLikelihood:
    """The likelihood of a split's images.

    `nats` (N,) holds every image's negative log-likelihood, `clusters` (N,) its independent unit, such as the photograph it was cut from.
    The standard error is over images, or over clusters where several images share one, since those are not independent.
    """

    nats: np.ndarray
    clusters: np.ndarray
    bits_per_dim: float
    bits_per_dim_se: float | None
    nats_per_image: float

    def packed(self) -> bytes:
        """The artifact `nats.npz` of a run: nats in single precision, and clusters."""
        file = io.BytesIO()
        np.savez(file, nats=self.nats.astype(np.float32), clusters=self.clusters)
        return file.getvalue()

    @property
    def n_images(self) -> int:
        return len(self.nats)

    @property
    def n_clusters(self) -> int:
        return len(np.unique(self.clusters))


def score(
    model: AutoregressiveModel,
    images: Tensor,
    clusters: np.ndarray,
    condition: Tensor | None = None,
    *,
    turn: tuple[int, int] = (0, 1),
    add_up: Callable[[list[Tensor]], object] = lambda parts: None,
    **estimation: Any,
) -> SplitLikelihood:
    """Teacher-forced likelihood of integer images (N, C, H, W): no image left out, the mean taken over images.

    `condition` (N, …) is for a model that needs it; `turn` and `add_up`: which of several processes this is, and the sum over all of them,
    in place; `estimation`: `generator` and `importance_samples` where the likelihood is a bound.
    """
    nats = batched_nats(model, images, condition, turn=turn, **estimation)
    add_up([nats])
    return summarise(nats.cpu().numpy(), clusters, model.shape)


def summarise(nats: np.ndarray, clusters: np.ndarray, shape: tuple[int, int, int]) -> SplitLikelihood:
    """Mean and clustered standard error of per-image nats (N,)."""
    error = clustered_standard_error(nats, clusters)
    bits_error = None if error is None else float(bits_per_dim(error, shape))
    return SplitLikelihood(nats, clusters, float(bits_per_dim(nats.mean(), shape)), bits_error, float(nats.mean()))


@torch.inference_mode()
@exact_products()
def sequential_nats(model: AutoregressiveModel, images: Tensor, condition: Tensor | None = None) -> np.ndarray:
    """(N,) nats of the process that the sampler really follows.

    Every sub-pixel is predicted from a canvas that holds only the earlier ones, zeros elsewhere; one whole forward a sub-pixel. For a
    causal model this is `-log_prob`; for a model that sees what it predicts it is what its samples are really worth.
    """
    model.eval()
    images = images.to(model.device)
    condition = None if condition is None else condition.to(model.device)
    canvas = torch.zeros_like(images)
    nats = torch.zeros(len(images), dtype=torch.float64, device=model.device)
    for row, column, colour in model.order():
        value = images[:, colour, row, column]
        logp = model.conditionals(canvas, condition)[:, :, colour, row, column]
        nats -= logp.gather(1, value.long()[:, None])[:, 0].double()
        canvas[:, colour, row, column] = value
    return nats.cpu().numpy()
