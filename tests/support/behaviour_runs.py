"""Runs of every kind, as suites ask for them, and their fingerprints with the code as it is; each is taken once."""

from dataclasses import replace
from functools import cache
from typing import Any

from pixelbench.data import get_task
from pixelbench.experiments.verify.fingerprint import fingerprint
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from pixelbench.suites.specs import specs_of

#: A short name → suite, and `task/variant` of its default budget; of the suite `paper` of budget `cpu`, where gradients are clipped.
_CELLS = {
    "gated": ("quick", "digits/gated-pixelcnn"),
    "colour": ("quick", "photos/gated-pixelcnn"),
    "leaky": ("first-layer-residual", "photos/gated-residual"),
    "pixelcnn": ("quick", "photos/pixelcnn"),
    "plain": ("zoo", "photos/pixelcnn-plain"),
    "row-lstm": ("zoo", "photos/row-lstm"),
    "diagonal": ("zoo", "digits/diagonal-bilstm"),
    "class": ("zoo", "digits/gated-class"),
    "mixture": ("zoo", "photos/gated-mixture"),
    "pp": ("zoo", "digits/pixelcnn-pp"),
    "pp-class": ("zoo", "digits/pixelcnn-pp-class"),
    "snail": ("zoo", "photos/pixelsnail"),
    "vae": ("mnist", "mnist-fixed/pixelvae"),
    "factorised-vae": ("paper", "mnist-fixed/vae"),
    "two-levels": ("zoo", "photos/pixelvae-two-levels"),
    "histogram": ("quick", "photos/histogram"),
    "uniform": ("quick", "digits/uniform"),
    "png": ("quick", "photos/png"),
    "webp": ("quick", "digits/webp"),
    "bernoullis": ("paper", "mnist-fixed/mixture-of-bernoullis-10"),
    "fvsbn": ("paper", "mnist-fixed/fvsbn"),
    "nade": ("paper", "mnist-fixed/nade"),
    "made": ("paper", "mnist-fixed/made-1-layer-32-masks"),
}
KINDS = [*_CELLS, "redrawn", "redrawn-histogram", "selecting", "selecting-vae", "selecting-nade", "by-value", "by-value-vae"]
NETWORKS = [kind for kind in KINDS if kind not in ("histogram", "redrawn-histogram", "uniform", "png", "webp", "bernoullis")]


@cache
def run(kind: str) -> RunSpec:
    if kind == "redrawn":
        return _on("mnist-dynamic", run("gated"), {"head": "bernoulli"})
    if kind == "redrawn-histogram":
        return _on("mnist-dynamic", run("histogram"), {})
    if kind.startswith("selecting"):
        spec = run(kind.removeprefix("selecting").removeprefix("-") or "gated")
        return replace(spec, recipe=spec.recipe | {"select": "best-validation"})
    if kind.startswith("by-value"):
        spec = run(kind.removeprefix("by-value").removeprefix("-") or "gated")
        return replace(spec, recipe=spec.recipe | {"clip": 0.0, "clip_value": 1 / 784})
    suite, cell = _CELLS[kind]
    (spec,) = specs_of(load_suite(suite), only=[cell], seeds=[0], budget="cpu" if suite == "paper" else None)
    return spec


@cache
def genuine(kind: str) -> dict[str, Any]:
    return fingerprint(run(kind))


def _on(name: str, spec: RunSpec, settings: dict[str, Any]) -> RunSpec:
    task = get_task(name)
    return replace(spec, task={part: getattr(task, part) for part in spec.task}, settings=spec.settings | settings)
