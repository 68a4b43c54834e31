"""A module's own sampling method: used where it draws from the module's probabilities, else said and left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.experiments.evaluating.evaluate import evaluate_model, protocol
from pixelbench.experiments.foreign.own_sampler import OwnSampler, check_own_sampler, own_draws
from pixelbench.experiments.foreign.wrapped import OthersModel
from pixelbench.models.families import create_model, get_family
from pixelbench.store.record import Samples

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELBENCH_MODULES", str(HERE))


def built(factory: str, sampler: str | None = "sample", **settings: Any) -> OthersModel:
    torch.manual_seed(0)
    module = {} if sampler is None else {"sampler": sampler}
    model = create_model(f"modules.py:{factory}", channels=1, height=5, width=4, levels=5, module=module, **settings)
    assert isinstance(model, OthersModel)
    return model


def found(model: OthersModel) -> OwnSampler:
    report = check_own_sampler(model)
    assert report is not None
    return report


@pytest.mark.slow
def test_a_right_one_is_told_from_those_with_faults() -> None:
    assert found(built("make_drawing")).verdict == "agrees"
    at_once, high = found(built("make_drawing", fault="at once")), found(built("make_drawing", fault="high"))
    assert (at_once.verdict, high.verdict) == ("differs", "differs")
    assert "do not follow the module's own probabilities" in at_once.sentence
    assert "sample gives levels from 1 to 2" in high.sentence
    assert at_once.said(used=False).startswith("Not drawn by the module's own sample (differs): ")


def test_what_cannot_be_counted_is_unchecked_and_not_right() -> None:
    model = built("make_drawing_at_5x4")
    report = found(model)
    assert (report.verdict, report.right) == ("unchecked", False)
    assert "which is not 3 images of the shape" in report.sentence
    assert "not today" in found(built("make_drawing", "broken")).sentence
    assert own_draws(model, 2).shape == (2, 1, 5, 4)


def test_no_word_no_test() -> None:
    assert check_own_sampler(built("make_drawing", None)) is None
    assert check_own_sampler(create_model("histogram", channels=1, height=3, width=3, levels=2)) is None


def test_its_images_are_levels_and_follow_from_the_generator() -> None:
    model = built("make_drawing")
    one, same, other = (own_draws(model, 6, None, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.dtype == torch.uint8
    assert one.shape == (6, 1, 5, 4)
    assert int(one.max()) <= 4
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_classes_reach_it() -> None:
    model = built("make_drawing_classes", condition="class", classes=3)
    assert found(model).verdict == "agrees"
    with torch.no_grad():
        model.module.get_parameter("shift.weight")[2] = 1e4  # class 2 is one image, whatever is drawn
    drawn = own_draws(model, 40, torch.arange(40) % 3)
    assert len(np.unique(drawn[2::3].flatten(1).numpy(), axis=0)) < len(np.unique(drawn[1::3].flatten(1).numpy(), axis=0))


def test_samples_of_a_run_are_its_own_only_where_it_is_right() -> None:
    model, test = built("make_drawing"), np.random.default_rng(0).integers(0, 5, (8, 1, 5, 4)).astype(np.uint8)
    spec = protocol(get_task("digits"), "mine", samples=3)
    right, wrong = OwnSampler("sample", "agrees", "Right."), OwnSampler("sample", "differs", "Wrong.")

    def draw(own: OwnSampler | None, *, leaky: bool = False) -> Samples:
        drawn = stages.draw(model, test, spec, leaky=leaky, own=own)
        assert drawn is not None
        return drawn.to_record()

    by_itself = draw(right)
    assert (by_itself.method, by_itself.sampler) == ("own", "Drawn by the module's own sample (checked): Right.")
    naive, none = draw(wrong), draw(None)
    assert (naive.method, none.method, none.sampler) == ("naive", "naive", None)
    assert naive.statistics == none.statistics
    assert draw(right, leaky=True).method == "naive"


def test_one_that_fails_at_the_real_size_loses_no_run() -> None:
    model, test = built("make_drawing", "broken"), np.zeros((8, 1, 5, 4), np.uint8)
    drawn = stages.draw(model, test, protocol(get_task("digits"), "mine"), leaky=False, own=OwnSampler("broken", "agrees", ""))
    assert drawn is not None
    assert drawn.method == "naive"
    assert "it failed on images of the real size: broken failed: not today" in (drawn.sampler or "")


def test_an_evaluation_says_so() -> None:
    torch.manual_seed(0)
    settings = {"module": {"sampler": "sample", "head": "categorical"}}
    model = create_model("modules.py:make_drawing", channels=1, height=8, width=8, levels=17, **settings)
    summary = evaluate_model(model, "digits", name="mine", limit=4, samples=2, check_seconds=2.0).summary()
    assert "Drawn by the module's own sample (checked): " in summary
    assert "draws of sample on 1x2x3 images of 2 levels are as frequent" in summary


@pytest.mark.parametrize(("name", "said"), [("sampel", "Did you mean 'sample'?"), ("nets.py:draw", "the name of a method")])
def test_a_wrong_name_is_a_sentence(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        built("make_drawing", name)


def test_a_key_changes_only_where_it_is_asked_for() -> None:
    family = get_family("modules.py:make_drawing")
    assert "sampler" not in str(family.parse({}).as_dict())
    assert family.parse({"module": {"sampler": "sample"}}).as_dict()["module"] == {"sampler": "sample"}
