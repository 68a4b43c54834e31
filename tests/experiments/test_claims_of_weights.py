"""A claim about one set of weights: what it takes to be called reproduced; and beside which runs of a store their number stands."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pixelbench as pb
from pixelbench.causality.report import CausalityVerdict
from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.likelihood import SplitLikelihood, summarise
from pixelbench.experiments.evaluating.beside import judge_claim
from pixelbench.experiments.evaluating.evaluate import evaluate_model
from pixelbench.models.families import create_model
from pixelbench.suites.schema import Claim
from pixelbench.units import bits_to_nats
from tests.support.record_factory import add_run

pytestmark = pytest.mark.quick


def scored(task: str, nats: float) -> SplitLikelihood:
    return summarise(np.full(20, nats) + np.arange(-9.5, 10), np.arange(20), get_task(task).shape)


def verdict(causality: CausalityVerdict | None = "causal", *, whole: bool = True, nats: float = 90.0, unit: str = "nats/image") -> str:
    value, printed = (90.0, "90.00") if unit == "nats/image" else (0.16561, "0.16561")
    claim = Claim("mnist-fixed", "mine", value, unit, "a paper", printed=printed)  # type: ignore[arg-type]
    task = get_task("mnist-fixed")
    return judge_claim(claim, task, scored("mnist-fixed", nats), causality, whole=whole).verdict


@pytest.mark.parametrize("unit", ["nats/image", "bits/dim"])
def test_the_number_decides_where_the_map_is_complete_and_clean(unit: str) -> None:
    assert [verdict(nats=nats, unit=unit) for nats in (90.0, 90.4, 95.0, 85.0)] == ["reproduced", "reproduced", "worse", "better"]


@pytest.mark.parametrize(("off", "name"), [(0.015, "reproduced"), (0.05, "worse")])
def test_the_unit_of_a_claim_is_no_matter(off: float, name: str) -> None:
    """Of images of many levels: 0.02 bits/dim are a nat on 64 sub-pixels, and half a nat on 3,072 of them would be far too little."""
    task = get_task("cifar10")
    test = summarise(np.full(20, bits_to_nats(3.0 * task.dimensions)), np.arange(20), task.shape)
    for value, unit in ((test.bits_per_dim - off, "bits/dim"), (test.nats_per_image - bits_to_nats(off * task.dimensions), "nats/image")):
        claim = Claim("cifar10", "mine", value, unit, "a paper", printed=f"{value:.4f}")  # type: ignore[arg-type]
        assert judge_claim(claim, task, test, "causal", whole=True).verdict == name, unit


@pytest.mark.parametrize(
    ("causality", "name"),
    [("leaky", "not causal"), ("stateful", "not causal"), ("undecided", "incomplete"), ("partial", "incomplete"), (None, "incomplete")],
)
def test_no_number_decides_without_such_a_map(causality: CausalityVerdict | None, name: str) -> None:
    assert {verdict(causality, nats=nats) for nats in (80.0, 90.0, 100.0)} == {name}


def test_no_number_of_some_of_the_images_decides() -> None:
    assert verdict(whole=False) == "incomplete"


@pytest.mark.parametrize(
    ("family", "settings", "limit", "beside"),
    [
        ("gated-pixelcnn", {}, 3, ["pixelcnn"]),
        ("gated-pixelcnn", {}, 2, []),
        ("gated-pixelcnn", {"condition": "class", "classes": 10}, 3, []),
        ("pixelvae", {}, 3, []),
    ],
    ids=["exact", "fewer images", "told the class", "bound"],
)
def test_a_number_stands_among_those_of_its_kind_on_the_same_images(
    tmp_path: Path, family: str, settings: dict[str, Any], limit: int, beside: list[str]
) -> None:
    add_run(tmp_path, "pixelcnn", 2.0, task="digits", evaluation={"test_images": 3})
    model = create_model(family, channels=1, height=8, width=8, levels=17, layers=1, maps=4, **settings)
    found = evaluate_model(model, "digits", name="mine", limit=limit, samples=0, check_seconds=1.0, results=tmp_path)
    assert [one.label for one in found.neighbours] == beside
    assert ("pixelcnn" in found.summary()) == bool(beside)


@pytest.mark.parametrize("logit", [math.nan, math.inf])
def test_no_number_is_no_result(logit: float) -> None:
    """A claim is not called better than NaN, and no JSON holds it."""

    class Zero(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            found = torch.zeros(len(images), 17, 8, 8, dtype=images.dtype)
            found[:, 0] = logit if images.dtype == torch.float32 else 0.0  # the certificate is in float64
            return found

    with pytest.raises(UserError, match="mine gives 3 of 3 test images no finite likelihood"):
        pb.evaluate(Zero(), "digits", name="mine", limit=3, samples=0, check_seconds=1.0)
