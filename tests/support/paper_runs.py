"""Fabricated runs of the suite `paper`, as it resolves its rows: what published figures are about."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pixelbench.published.figures import Figure
from pixelbench.store.record import Record
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from pixelbench.suites.schema import Suite
from pixelbench.suites.specs import row_specs
from pixelbench.units import bits_per_dim
from tests.support.record_factory import add_spec

MNIST = (1, 28, 28)


@cache
def paper() -> Suite:
    return load_suite("paper")


@cache
def _specs(task: str, variant: str, limit: int | None) -> dict[tuple[str, str], RunSpec]:
    return row_specs(paper(), task, variant, limit)


def paper_spec(
    variant: str = "pixelcnn",
    task: str = "mnist-fixed",
    *,
    seed: int = 0,
    budget: str = "paper",
    precision: str = "fp32",
    limit: int | None = None,
    **changes: Any,
) -> RunSpec:
    """What the suite `paper` asks for, with fields changed: `recipe` and `settings` by some of their entries."""
    spec = _specs(task, variant, limit)[budget, precision]
    merged = {name: {**getattr(spec, name), **value} if isinstance(value, dict) else value for name, value in changes.items()}
    return replace(spec, seed=seed, **merged)


def add_nats(store: Path, *nats: float, seeds: Sequence[int] | None = None, **requested: Any) -> list[Record]:
    """Runs that came to these nats an image of MNIST, one a seed (0, 1, …); options as for `paper_spec`."""
    return [
        add_spec(store, paper_spec(seed=seed, **requested), bits_per_dim(value, MNIST))
        for seed, value in zip(range(len(nats)) if seeds is None else seeds, nats, strict=True)
    ]


def figure(value: float = 81.30, **changes: Any) -> Figure:
    """PixelCNN on fixed binarised MNIST, or what else is said."""
    known: dict[str, Any] = {
        "id": "prnn-t4-pixelcnn",
        "kind": "paper",
        "paper": "van den Oord et al. 2016a",
        "year": 2016,
        "model": "PixelCNN",
        "dataset": "MNIST",
        "preprocessing": "fixed binarisation (Larochelle files)",
        "binarisation": "fixed",
        "split": "test",
        "metric": "nll_nats",
        "unit": "nats/image",
        "value": value,
        "printed": f"{value:.2f}",
        "bound": False,
        "estimator": "exact",
        "locator": "Table 4",
        "verified": True,
        "file": "pixelrnn-2016.toml",
        "task": "mnist-fixed",
        "variant": "pixelcnn",
    }
    return Figure(**(known | changes))
