"""The tiny models that every law is tested on. A new family inherits all laws by one more line in NETWORKS."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel, ConditionedModel
from pixelbench.models.families import create_model, get_family

Variant = tuple[str, dict[str, Any]]
#: H != W, so that swapped axes are found; maps not divisible by three, so that mixed colour groups are found.
SHAPES = {"grey": (1, 6, 5), "colour": (3, 5, 4)}
TINY: dict[str, Any] = {"maps": 10, "layers": 2, "head_maps": 17, "kernel": 3, "first_kernel": 5, "components": 3}
PP: dict[str, Any] = {"scales": 1, "layers": 1}
SNAIL: dict[str, Any] = {"layers": 1, "key_maps": 5, "value_maps": 7}
#: Each family and what changes its wiring; every law runs on these by default.
NETWORKS: dict[str, Variant] = {
    "pixelcnn": ("pixelcnn", {}),
    "pixelcnn-no-colour": ("pixelcnn", {"colour_conditioning": False}),
    "plain": ("pixelcnn-plain", {}),
    "row-lstm": ("row-lstm", {}),
    "diagonal": ("diagonal-bilstm", {}),
    "gated": ("gated-pixelcnn", {}),
    "gated-no-colour": ("gated-pixelcnn", {"colour_conditioning": False}),
    "gated-no-gates": ("gated-pixelcnn", {"gates": False}),
    "gated-one-stack": ("gated-pixelcnn", {"stacks": "one"}),
    "gated-legacy": ("gated-pixelcnn", {"stacks": "legacy"}),
    "gated-dilated-skip": ("gated-pixelcnn", {"dilations": [2, 1], "skip": True}),
    "gated-mixture": ("gated-pixelcnn", {"head": "logistic-mixture"}),
    "pp": ("pixelcnn-pp", PP),
    "pp-small": ("pixelcnn-pp", PP | {"middle_layers": 1, "nin_blocks": 1, "channel_sets": 3}),
    "snail": ("pixelsnail", SNAIL),
}
#: The rest of family x head x colour conditioning, and other settings: with the marker `grid`.
GRID: dict[str, Variant] = {
    "pixelcnn-skip": ("pixelcnn", {"skip": True}),
    "pixelcnn-no-residual": ("pixelcnn", {"residual": False}),
    "pixelcnn-one-hot": ("pixelcnn", {"input_encoding": "one-hot"}),
    "plain-colour": ("pixelcnn-plain", {"colour_conditioning": True}),
    "row-lstm-skip": ("row-lstm", {"skip": True}),
    "row-lstm-no-residual": ("row-lstm", {"residual": False, "input_encoding": "one-hot"}),
    "diagonal-no-colour": ("diagonal-bilstm", {"colour_conditioning": False}),
    "diagonal-skip": ("diagonal-bilstm", {"skip": True}),
    "diagonal-no-residual": ("diagonal-bilstm", {"residual": False}),
    "gated-one-hot": ("gated-pixelcnn", {"input_encoding": "one-hot"}),
    "pp-nin": ("pixelcnn-pp", PP | {"nin_blocks": 3}),
    "pp-sets": ("pixelcnn-pp", PP | {"channel_sets": 4}),
    "pp-no-skip": ("pixelcnn-pp", PP | {"middle_layers": 2, "skip": False}),
    "pp-no-colour": ("pixelcnn-pp", PP | {"colour_conditioning": False}),
    "gated-normed": ("gated-pixelcnn", {"weight_norm": True, "skip": True}),
    "pixelcnn-normed": ("pixelcnn", {"weight_norm": True}),
    "gated-no-link": ("gated-pixelcnn", {"vertical_to_horizontal": False, "residual": False}),
}
GRID |= {
    f"{name}-{head}{'' if conditioning else '-no-colour'}": (family, {**settings, "head": head, "colour_conditioning": conditioning})
    for name, (family, settings) in NETWORKS.items()
    if name in ("pixelcnn", "plain", "row-lstm", "diagonal", "gated", "pp", "snail")
    for head in ("softmax", "logistic-mixture")
    for conditioning in (True, False)
}
#: Each is tested for one condition of its own; the laws of conditions are in test_conditioned.py.
CONDITIONED: dict[str, Variant] = {
    "class": ("gated-pixelcnn", {"condition": "class", "classes": 3}),
    "class-per-position": ("gated-pixelcnn", {"condition": "class", "classes": 3, "per_position": True}),
    "vector-and-head": ("gated-pixelcnn", {"condition": "vector", "condition_size": 2, "condition_at": "layers-and-head"}),
    "map": ("gated-pixelcnn", {"condition": "map", "condition_size": 2}),
    "map-first": ("gated-pixelcnn", {"condition": "map", "condition_size": 2, "condition_at": "first"}),
    "map-one-stack": ("gated-pixelcnn", {"condition": "map", "condition_size": 2, "stacks": "one"}),
    "pp-class": ("pixelcnn-pp", PP | {"condition": "class", "classes": 3}),
    "pp-small-class": ("pixelcnn-pp", PP | {"condition": "class", "classes": 3, "nin_blocks": 1, "channel_sets": 3}),
}
#: Networks with latents, for the laws that are not about their order: what they draw pixels by is a law's subject of its own.
LATENT: dict[str, Variant] = {
    "pixelvae": ("pixelvae", {"latent": 3, "encoder_maps": 4}),
    "pixelvae-two-levels": ("pixelvae", {"latent": 3, "encoder_maps": 4, "hierarchy": 2, "decoder": "spatial", "latent_maps": 2}),
    "vae": ("vae", {"latent": 3, "encoder_maps": 4}),
}
LEAKY: dict[str, Variant] = {
    f"{family}-{first}": (family, {"first_layer": first}) for family in ("pixelcnn", "gated-pixelcnn") for first in ("residual", "mask-b")
}
#: What a family cannot do without, at least one of each: the laws of these run by default, the others in a tier that takes longer.
TYPICAL = {
    *("uniform", "histogram", "mixture", "fvsbn", "nade-random", "made-masks-random", "pixelcnn", "plain", "row-lstm", "diagonal"),
    *("gated", "gated-no-colour", "gated-one-stack", "gated-bernoulli", "pp", "snail", "class", "map", "pixelvae", "vae"),
}
BASELINES: dict[str, Variant] = {"uniform": ("uniform", {}), "histogram": ("histogram", {})}
CAUSAL = NETWORKS | BASELINES | GRID
#: Sequences of bits, in raster order and in one of their own.
SEQUENCES: dict[str, Variant] = {
    f"{name}{suffix}": (family, settings | order)
    for name, (family, settings) in {
        "mixture": ("mixture-of-bernoullis", {}),
        "fvsbn": ("fvsbn", {}),
        "nade": ("nade", {"hidden": 13}),
        "made": ("made", {"hidden": 90, "layers": 1}),
        "made-masks": ("made", {"hidden": 90, "masks": 3, "direct": True}),
    }.items()
    for suffix, order in {"": {}, "-random": {"order": "random", "order_seed": 3}}.items()
}
#: Two levels only.
BINARY: dict[str, Variant] = SEQUENCES | {
    f"{name}-bernoulli": (family, {**settings, "head": "bernoulli"})
    for name, (family, settings) in NETWORKS.items()
    if name in ("pixelcnn", "plain", "row-lstm", "diagonal", "gated", "gated-no-colour", "pp", "snail")
}


def cases(names: Iterable[str]) -> list[Any]:
    """Parameters for these variants, with the marker of the tier that each belongs to; one network is in the quick tier."""
    ours = {*NETWORKS, *BASELINES, *SEQUENCES, "gated-bernoulli", "pp-bernoulli"}

    def tier(name: str) -> Any:
        return pytest.mark.quick if name == "gated" else () if name in TYPICAL else pytest.mark.slow if name in ours else pytest.mark.grid

    return [pytest.param(name, id=name, marks=tier(name)) for name in names]


def tiny(name: str, shape: tuple[int, int, int], levels: int = 4, seed: int = 0) -> AutoregressiveModel:
    """A float64 model of a tiny shape, weights large enough that every connection matters; what is fitted has seen random images."""
    family, settings = (CAUSAL | CONDITIONED | LEAKY | BINARY | LATENT)[name]
    torch.manual_seed(seed)
    channels, height, width = shape
    known = {field.name for field in fields(get_family(family).settings)}
    small = {setting: value for setting, value in TINY.items() if setting in known}
    levels = 2 if name in BINARY else levels
    model = create_model(family, channels=channels, height=height, width=width, levels=levels, **(small | settings)).double().eval()
    if get_family(family).kind == "fitted":
        model.fit(random_images(40, shape, levels, seed=seed).square() % levels)
    return model


def shape_of(name: str, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The shape, or the smallest one where it is too small for an encoder."""
    least = {"pixelvae-two-levels": 13}.get(name, 8) if name in LATENT else 1
    return (1, least, least + 1) if name in LATENT else shape


def random_images(n: int, shape: tuple[int, int, int], levels: int, seed: int = 1) -> torch.Tensor:
    """(n, C, H, W) uint8."""
    return torch.randint(levels, (n, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def random_conditions(name: str, n: int, shape: tuple[int, int, int], seed: int = 2) -> Tensor:
    """(n, …) conditions of the kind that `CONDITIONED[name]` takes."""
    _, settings = CONDITIONED[name]
    generator = torch.Generator().manual_seed(seed)
    if settings["condition"] == "class":
        return torch.arange(n) % settings["classes"]
    size = (settings["condition_size"], *shape[1:]) if settings["condition"] == "map" else (settings["condition_size"],)
    return torch.randn(n, *size, generator=generator, dtype=torch.float64)


def derivatives(model: AutoregressiveModel | ConditionedModel, seed: int = 3) -> Tensor:
    """(outputs, inputs), both in raster order: the largest derivative of a sub-pixel's log-probabilities by another sub-pixel's value.

    Values are treated as real numbers, which a scalar input encoding allows.
    """
    channels, height, width = shape = model.shape
    values = random_images(1, shape, model.levels, seed).double().requires_grad_()
    inner = model.model if isinstance(model, ConditionedModel) else model
    raw = inner(values, *([model.condition] if isinstance(model, ConditionedModel) else []))
    logp = inner.output.log_probs(raw, values)  # (1, levels, C, H, W)
    outputs = logp.permute(0, 3, 4, 2, 1).reshape(-1, model.levels)
    found = torch.zeros(len(outputs), channels * height * width, dtype=torch.float64)
    for level in range(model.levels - 1):  # the last follows from the others
        for place, output in enumerate(outputs[:, level]):
            (gradient,) = torch.autograd.grad(output, values, retain_graph=True, allow_unused=True)
            if gradient is not None:
                found[place] = torch.maximum(found[place], gradient[0].permute(1, 2, 0).flatten().abs())
    return found


def train_a_little(model: AutoregressiveModel, condition: Tensor | None = None, steps: int = 3) -> AutoregressiveModel:
    """A few steps of Adam on random images."""
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    images = random_images(8 if condition is None else len(condition), model.shape, model.levels, seed=4)
    model.train()
    for update in range(steps):
        model.begin_update(update)
        optimiser.zero_grad()
        model.loss(images, *(() if condition is None else (condition,))).backward()
        optimiser.step()
    return model.eval()
