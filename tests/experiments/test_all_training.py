"""A run that holds nothing out, from its images to its record: on a small task that is given such a split."""

from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.data import registry
from pixelbench.data.sources.digits import DIGITS
from pixelbench.data.task import data_digest
from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.experiments.run.execute import execute
from pixelbench.experiments.verify.fingerprint import fingerprint
from pixelbench.store import integrity
from pixelbench.store.artifacts import CURVE, FileSummary, read_summary
from pixelbench.store.behaviour import differences
from pixelbench.store.curve_file import read_curve
from pixelbench.store.integrity import examine
from pixelbench.store.record_file import read_record
from pixelbench.store.spec import RunSpec
from tests.support.quick_run import spec_of

pytestmark = pytest.mark.usefixtures("present_code")


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    unpinned = replace(DIGITS, all_training="0" * 64).with_split("all-training")
    task = replace(DIGITS, all_training=data_digest(unpinned.builder()))
    monkeypatch.setitem(registry.TASKS._entries, "digits", task)
    monkeypatch.setattr(integrity, "_pinned", integrity._pinned.__wrapped__)  # which remembers the task as it is
    usual = spec_of("digits/gated-pixelcnn", updates=12)
    digest = task.with_split("all-training").digest
    return replace(usual, task={**usual.task, "digest": digest}, recipe={**usual.recipe, "split": "all-training"})


def summaries_of(folder: Path) -> dict[str, FileSummary | None]:
    return {name: read_summary(folder / name) for name in read_record(folder).artifacts}


def test_a_run_without_validation_has_no_figure_of_it_and_adds_up(spec: RunSpec, tmp_path: Path) -> None:
    assert execute(spec, tmp_path) == "done"
    record = read_record(tmp_path)
    assert record.likelihood is not None
    assert record.likelihood.validation_bits_per_dim is None
    assert record.spec.split == "all-training"
    assert not examine(record, summaries_of(tmp_path)).doubts
    curve = read_curve(tmp_path / CURVE)
    assert curve
    assert all(validation is None for _, _, validation in curve)


def test_a_record_that_denies_its_split_is_doubted(spec: RunSpec, tmp_path: Path) -> None:
    assert execute(spec, tmp_path) == "done"
    record, summaries = read_record(tmp_path), summaries_of(tmp_path)
    assert record.likelihood is not None
    scored = replace(record, likelihood=replace(record.likelihood, validation_bits_per_dim=1.0))
    assert examine(scored, summaries).doubts == ("it has a score on validation images, and was trained on them",)
    other = replace(record, task=replace(record.task, digest=DIGITS.digest))
    assert any("its images are not those of task digits: digest" in doubt for doubt in examine(other, summaries).doubts)


def test_more_images_are_trained_on_and_the_same_ones_scored(spec: RunSpec) -> None:
    usual = registry.get_task("digits")
    data, held = usual.with_split("all-training").load(), usual.load()
    assert (len(data.train), len(data.validation)) == (len(held.train) + len(held.validation), 0)
    assert (data.test.images == held.test.images).all()
    trainer = stages.trainer(stages.build(spec), data, spec, redrawn=False)
    assert trainer.order.images == len(data.train)


def test_a_request_for_the_digest_of_the_other_split_is_refused(spec: RunSpec, tmp_path: Path) -> None:
    wrong = replace(spec, task={**spec.task, "digest": DIGITS.digest})
    assert execute(wrong, tmp_path) == "failed"
    error = read_record(tmp_path).error
    assert error is not None
    assert "another digest" in error.message


def test_its_fingerprint_says_what_it_is_trained_on(spec: RunSpec) -> None:
    usual = replace(spec, recipe={name: value for name, value in spec.recipe.items() if name != "split"})
    mine, its = fingerprint(spec), fingerprint(usual)
    assert "failure" not in mine["exact"]
    assert set(differences(mine, its)) == {"training curve", "likelihood", "order of batches"}


def test_a_folder_has_no_such_split() -> None:
    with pytest.raises(ValueError, match="none of this task's"):
        replace(DIGITS, all_training="").with_split("all-training")
    with pytest.raises(UserError, match="no-such-task"):
        registry.get_task("no-such-task")
