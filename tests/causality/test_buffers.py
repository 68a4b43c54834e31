"""Modules whose forward makes a buffer, or enters inference mode itself: what it made is put back before the next call."""

import pytest
import torch
from torch import Tensor

from pixelbench.causality import CausalityReport, check_causality
from tests.causality.nets import LEVELS, Net

SHAPE = (1, 4, 5)


class Counts(Net):
    """Its buffer is another tensor after each call; with `leaks` the output also sees itself."""

    def __init__(self, *, leaks: bool = False, grows: bool = False) -> None:
        super().__init__(1)
        self.leaks, self.grows = leaks, grows
        self.calls: Tensor
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        self.count()
        return super().forward(images) + self.calls.sum() + (0.01 * images[:, None] if self.leaks else 0.0)

    def count(self) -> None:
        self.calls = torch.cat([self.calls, torch.ones(1)]) if self.grows else self.calls + 1


class CountsInInferenceMode(Counts):
    @torch.inference_mode()
    def count(self) -> None:
        super().count()


class Averages(Counts):
    """As a normalisation does that keeps a running mean: in training only."""

    def count(self) -> None:
        if self.training:
            self.calls = 0.9 * self.calls + 0.1


@pytest.mark.by_default(4)
@pytest.mark.parametrize("kind", [Counts, CountsInInferenceMode, Averages])
@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("leaks", [False, True])
def test_a_buffer_made_in_forward_is_put_back(kind: type[Counts], grows: bool, leaks: bool) -> None:
    report = checked(kind(leaks=leaks, grows=grows))
    assert report.verdict == ("leaky" if leaks else "causal")
    assert report.repeatable == (kind is Averages)


def test_also_in_training_and_after_a_step() -> None:
    report = checked(Averages(), mode="train", after_step=True)
    assert (report.verdict, report.repeatable) == ("causal", False)
    assert checked(Averages(leaks=True), mode="train", after_step=True).verdict == "leaky"


def checked(module: Counts, **options: object) -> CausalityReport:
    return check_causality(module, SHAPE, levels=LEVELS, **options)  # type: ignore[arg-type]
