"""`--compile`: the same run, which says so; a decision is made once a run."""

import itertools
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace as Namespace
from typing import cast

import pytest

from pixelbench.errors import UserError
from pixelbench.experiments.plan import make_plan
from pixelbench.experiments.run import compilation
from pixelbench.experiments.run.execute import execute
from pixelbench.experiments.schedule import scheduler as schedule
from pixelbench.experiments.schedule.scheduler import run_plan
from pixelbench.store.record_file import read_record
from pixelbench.suites.load import load_suite
from pixelbench.training import compiling, loop
from pixelbench.training.compilers import Compile
from pixelbench.training.compiling import Measured
from tests.experiments.test_execute import spec_of
from tests.support.fake_executor import NAME
from tests.support.suite_file import write_suite


@pytest.fixture(autouse=True)
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Traced, not compiled: seconds instead of a minute."""
    monkeypatch.setattr(loop, "compiled_loss", lambda model: compiling.compiled_loss(model, "eager"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.mark.slow
def test_a_compiled_run_is_the_same_run_says_so_and_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    measured: list[int] = []

    def pays(model: object, batch: object, updates: int, *, autocast: bool) -> Measured:
        measured.append(updates)
        return Measured(True, "a reason")

    monkeypatch.setattr(compilation, "measure_compiled", pays)
    monkeypatch.setattr(compilation, "why_not", lambda device: None)
    spec, plain, compiled = spec_of("digits/gated-pixelcnn", updates=3), tmp_path / "plain", tmp_path / "compiled"
    notes = []
    counted = iter(range(1000))
    assert execute(spec, plain) == "done"
    assert execute(spec, compiled, compile="auto", stop=lambda: next(counted) >= 3, emit=notes.append) == "interrupted"
    assert execute(spec, compiled, compile="auto", sample_batch=5, emit=notes.append) == "done"
    assert measured == [3]
    assert [note["text"] for note in notes if note["event"] == "note" and "compiled" in note["text"]] == ["compiled: a reason"]
    one, other = read_record(plain), read_record(compiled)
    assert (one.provenance.compiled, other.provenance.compiled) == (False, True)
    assert one.run_key == other.run_key
    assert one.likelihood is not None
    assert other.likelihood is not None
    assert one.likelihood.nats_per_image == pytest.approx(other.likelihood.nats_per_image, rel=1e-5)
    assert not (compiled / "work" / compilation.DECISION).exists()


@pytest.mark.parametrize("requested", ["auto", "on"])
def test_what_was_compiled_into_another_network_is_not_trained(requested: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "compiled_loss", lambda model: lambda images: 1.05 * model.loss(images))
    monkeypatch.setattr(compilation, "measure_compiled", lambda *given, **options: Measured(True, "a reason"))
    monkeypatch.setattr(compilation, "why_not", lambda device: None)
    notes: list[dict[str, str]] = []
    spec, counted = spec_of("digits/gated-pixelcnn", updates=2), itertools.count()
    assert execute(spec, tmp_path, compile=requested, stop=lambda: next(counted) >= 3, emit=notes.append) == "interrupted"
    monkeypatch.setattr(loop, "compiled_loss", lambda model: model.loss)  # found to be right by the next attempt, which goes on as it was
    assert execute(spec, tmp_path, compile="auto", sample_batch=5) == "done"
    assert not read_record(tmp_path).provenance.compiled
    expected = r"not compiled: what torch \S+ compiles here is another network, its loss of the first batch is "
    assert any(re.match(expected, note["text"]) for note in notes if note["event"] == "note")


@pytest.mark.parametrize(("requested", "compiled"), [("off", False), ("auto", False), ("on", True)])
def test_a_run_with_nothing_left_to_train_compiles_nothing(requested: Compile, compiled: bool, tmp_path: Path):
    trainer = Namespace(update=5, plan=Namespace(updates=5))
    assert compilation.compile_training(requested, cast(loop.Trainer, trainer), tmp_path, print) == compiled
    for decided in (True, False):
        (tmp_path / compilation.DECISION).write_text(json.dumps({"compiled": decided}))
        found = compilation.compile_training(requested, cast(loop.Trainer, trainer), tmp_path, print)
        assert found == (decided and requested != "off")


def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan = make_plan(load_suite(write_suite(tmp_path)), tmp_path / "runs", seeds=[1])
    with pytest.raises(UserError, match="leave --micro-batch out"):
        run_plan(plan, workers=0, executor=NAME, compile="on", micro_batch=16)
    monkeypatch.setattr(schedule, "why_not", lambda device: "there is no C++ compiler here; install g++")
    with pytest.raises(UserError, match=r"^--compile on needs a compiler: there is no C\+\+ compiler here; install g\+\+, or leave"):
        run_plan(plan, workers=0, executor=NAME, compile="on")
    assert not plan.store.exists()


@pytest.mark.parametrize("has", [True, False])
def test_bf16_is_for_processors_that_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: bool):
    monkeypatch.setattr(schedule, "has_bf16", lambda: has)
    plan = make_plan(load_suite(write_suite(tmp_path)), tmp_path / "runs", seeds=[1], precision="bf16")
    if has:
        schedule._check_precision(plan, "cpu")
    else:
        with pytest.raises(UserError, match=r"this CPU has no bf16 arithmetic .*; use --precision fp32\.$"):
            run_plan(plan, workers=0, executor=NAME)
        assert not plan.store.exists()
    schedule._check_precision(plan, "cuda")
