"""A claim about one set of weights: what it takes to be called reproduced."""

import numpy as np
import pytest

from pixelbench.causality.report import CausalityVerdict
from pixelbench.data import get_task
from pixelbench.evaluation.likelihood import SplitLikelihood, summarise
from pixelbench.experiments.evaluating.beside import judge_claim
from pixelbench.suites.schema import Claim

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


@pytest.mark.parametrize(
    ("causality", "name"),
    [("leaky", "not causal"), ("stateful", "not causal"), ("undecided", "incomplete"), ("partial", "incomplete"), (None, "incomplete")],
)
def test_no_number_decides_without_such_a_map(causality: CausalityVerdict | None, name: str) -> None:
    assert {verdict(causality, nats=nats) for nats in (80.0, 90.0, 100.0)} == {name}


def test_no_number_of_some_of_the_images_decides() -> None:
    assert verdict(whole=False) == "incomplete"
