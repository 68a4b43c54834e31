"""The parameters of a `torch.distributions` object as one tensor: they are what must be causal, and log_prob is a function of them."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch import distributions as td

from pixelbench.errors import UserError

_OF_A_FLOW = (
    "a density of all sub-pixels together is no conditional distribution of each; check the network that gives the parameters (shift and "
    "scale of each sub-pixel)"
)


def parameters_of(distribution: td.Distribution) -> Tensor:
    """Logits where they are all there is; otherwise every parameter, side by side along a new last axis.

    `Independent` is looked through, a mixture's weights stand beside its components' parameters, and of a transformed distribution the
    parameters of the base and of the transforms count, as long as these transform every element for itself.

    Raises:
        UserError: it is a density of many sub-pixels together, or there is something in it whose parameters are not known.
    """
    parts = [part for part in _parameters(distribution) if part.is_floating_point()]
    if not parts:
        raise UserError(f"The module returned a {type(distribution).__name__} whose parameters are not known; return them as a tensor.")
    if len(parts) == 1:
        return parts[0]
    try:
        if isinstance(_inside(distribution), td.MixtureSameFamily):
            return torch.cat(torch.broadcast_tensors(*parts), -1)
        return torch.stack(torch.broadcast_tensors(*parts), -1)
    except RuntimeError as error:
        raise UserError(
            f"The parameters of the {type(distribution).__name__} that the module returned have shapes that do not fit one another; return "
            "them as a tensor."
        ) from error


def _inside(distribution: td.Distribution) -> td.Distribution:
    while isinstance(distribution, td.Independent):
        distribution = distribution.base_dist
    return distribution


def _parameters(distribution: td.Distribution) -> Iterator[Tensor]:
    distribution = _inside(distribution)
    if isinstance(distribution, td.MixtureSameFamily):
        yield from _parameters(distribution.mixture_distribution)
        yield from _parameters(distribution.component_distribution)
        return
    if isinstance(distribution, td.TransformedDistribution):
        yield from _parameters(distribution.base_dist)
        for transform in distribution.transforms:
            yield from _of_transform(transform, set())
        return
    names = list(distribution.arg_constraints)
    if any(name in names for name in ("covariance_matrix", "cov_factor", "scale_tril")):
        raise UserError(f"The module returned a {type(distribution).__name__}: {_OF_A_FLOW}.")
    names = ["logits"] if "logits" in names else names
    yield from (value for name in names if isinstance(value := getattr(distribution, name, None), Tensor))


def _of_transform(transform: Any, seen: set[int]) -> Iterator[Tensor]:
    """Tensors that a transform of PyTorch's own holds, none where it holds numbers; a transform and its inverse hold one another."""
    if id(transform) in seen:
        return
    seen.add(id(transform))
    if type(transform).__module__ != td.transforms.__name__ or transform.domain.event_dim:
        inner = getattr(transform, "base_transform", None)  # an IndependentTransform only counts the axes of its own
        if inner is None:
            raise UserError(f"The module returned a distribution transformed by {type(transform).__name__}: {_OF_A_FLOW}.")
        yield from _of_transform(inner, seen)
        return
    for name, value in vars(transform).items():
        if name == "_cached_x_y":
            continue
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, Tensor):
                yield part
            elif isinstance(part, td.Transform):
                yield from _of_transform(part, seen)
