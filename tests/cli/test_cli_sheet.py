"""`sheet`, and the page that shows it; `sample --animate`; `fidelity`."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from pixelbench.data import get_task, registry
from pixelbench.data.sources.digits import DIGITS
from pixelbench.data.task import data_digest
from pixelbench.evaluation.features import inception
from pixelbench.evaluation.sheets import Section
from pixelbench.experiments import sheet
from pixelbench.models.sampling import raster
from pixelbench.store import integrity
from pixelbench.store.spec import RunSpec
from tests.cli.cli_stores import Pixelbench, only_json, store_run

DRAWING, SHEET = "runs/report-files/drawing-digits.webp", "runs/report-files/sheet-digits.png"


class Painter:
    """Stands for a model of digits: a training image everywhere that nothing is held, hotter ones brighter."""

    leaks_by_design, incremental, levels, completion = False, True, 17, "exact"

    def __init__(self) -> None:
        self.conditions: list[Any] = []

    def sample(self, n: int | None, *, condition: Any = None, given: Any = None, known: Any = None, **how: Any) -> torch.Tensor:
        self.conditions.append(condition)
        n = len(given) if n is None else n
        painted = torch.from_numpy(get_task("digits").load().train.images[:1]).repeat(n, 1, 1, 1)
        return painted if known is None else torch.where(known, given, painted)

    def order(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(raster((1, 8, 8)))


@pytest.fixture
def painter(tmp_path: Path, specs: list[RunSpec], monkeypatch: pytest.MonkeyPatch) -> Painter:
    """A store of three runs, one of them conditional on the class, whose model it is; `pixelcnn` has no weights."""
    net = Painter()
    plain, other = (next(spec for spec in specs if spec.variant == name) for name in ("gated-pixelcnn", "pixelcnn"))
    by_class = dataclasses.replace(plain, variant="by-class", settings=plain.settings | {"condition": "class", "classes": 10})
    for spec in (plain, other, by_class):
        store_run(tmp_path / "runs", spec)
    for module in ("experiments.sheet", "experiments.stored"):
        monkeypatch.setattr(f"pixelbench.{module}.load_run", lambda stored: net)
    monkeypatch.setattr(sheet, "weights_path", lambda folder: folder / ("none" if folder.parent.name == "pixelcnn" else "record.json"))
    return net


@pytest.fixture
def sections(monkeypatch: pytest.MonkeyPatch) -> list[Section]:
    """What is set out on the sheets."""
    kept: list[Section] = []
    whole = sheet.sheet_png
    monkeypatch.setattr(sheet, "sheet_png", lambda sections, texts: kept.extend(sections) or whole(sections, texts))
    return kept


def test_a_sheet_has_real_best_nearest_others_completions_temperatures_and_classes(
    pixelbench: Pixelbench, painter: Painter, sections: list[Section]
) -> None:
    code, out, err = pixelbench("sheet", "digits", "-n", "3", "--json")
    assert code == 0
    assert "Without weights, so not on it: pixelcnn." in err
    (told,) = json.loads(out)
    assert (told["task"], told["best"], told["without_weights"]) == ("digits", "gated-pixelcnn", ["pixelcnn"])
    beside, halves, temperatures, classes = sections
    real, best, near, *others = beside.strips
    assert [one.name.partition(",")[0] for one in (best, *others)] == ["best with weights: gated-pixelcnn", "by-class"]
    np.testing.assert_array_equal(near.shares, best.shares)  # a memorised image is its own nearest neighbour
    assert "mean distance 0.00" in near.name
    whole, held, *draws = halves.strips
    np.testing.assert_array_equal(whole.shares, real.shares)
    assert np.isnan(held.shares[:, :, 4:]).all()
    assert len(draws) == sheet.DRAWS
    assert all((draw.shares[:, :, :4] == real.shares[:, :, :4]).all() for draw in draws)
    assert [one.name for one in temperatures.strips] == ["temperature 0.7", "temperature 0.9", "temperature 1", "temperature 1.1"]
    assert [(one.name, len(one.shares)) for one in classes.strips] == [(f"class {c}", 3) for c in range(10)]
    assert painter.conditions[-1].tolist() == [c for c in range(10) for _ in range(3)]
    assert not Path(DRAWING).exists()


def test_what_only_scores_whole_images_keeps_no_sheet_from_being_drawn(
    pixelbench: Pixelbench, painter: Painter, specs: list[RunSpec], tmp_path: Path, sections: list[Section]
) -> None:
    plain = next(spec for spec in specs if spec.variant == "gated-pixelcnn")
    store_run(tmp_path / "runs", dataclasses.replace(plain, variant="scored", settings={**plain.settings, "module": {"head": "log_prob"}}))
    code, out, err = pixelbench("sheet", "digits", "-n", "2", "--json")
    assert code == 0, err
    assert "digits: scored gives likelihoods of whole images alone, so it is not on the sheet." in err
    assert json.loads(out)[0]["without_weights"] == ["pixelcnn"]
    assert not [strip.name for section in sections for strip in section.strips if "scored" in strip.name]


def test_the_nearest_training_images_are_of_those_that_the_model_was_trained_on(
    pixelbench: Pixelbench, painter: Painter, specs: list[RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of those that others hold out."""
    unpinned = dataclasses.replace(DIGITS, all_training="0" * 64).with_split("all-training")
    task = dataclasses.replace(DIGITS, all_training=data_digest(unpinned.builder()))
    monkeypatch.setitem(registry.TASKS._entries, "digits", task)
    monkeypatch.setattr(integrity, "_pinned", integrity._pinned.__wrapped__)  # which remembers the task as it is
    looked_through: list[int] = []
    nearest = sheet.nearest
    monkeypatch.setattr(
        sheet, "nearest", lambda shares, training, levels: looked_through.append(len(training)) or nearest(shares, training, levels)
    )
    plain = next(spec for spec in specs if spec.variant == "gated-pixelcnn")
    whole = {**plain.task, "digest": task.all_training}
    store_run(tmp_path / "more", dataclasses.replace(plain, task=whole, recipe={**plain.recipe, "split": "all-training"}))
    assert pixelbench("sheet", "digits", "-n", "2")[0] == 0
    assert pixelbench("sheet", "digits", "-n", "2", "--results", "more")[0] == 0
    assert DIGITS.sizes is not None
    assert looked_through == [DIGITS.sizes[0], DIGITS.sizes[0] + DIGITS.sizes[1]]


def test_the_page_shows_the_sheet_and_its_animation(pixelbench: Pixelbench, painter: Painter) -> None:
    assert pixelbench("sheet", "-n", "2", "--animate")[0] == 0
    assert pixelbench("report", "--format", "markdown,html")[0] == 0
    page = Path("runs/report.md").read_text(encoding="utf-8")
    assert "](report-files/sheet-digits.png)" in page
    assert "](report-files/drawing-digits.webp)" in page
    assert "No weights are stored of pixelcnn, so they are not shown." in page
    assert "Samples at a glance" in Path("runs/report.html").read_text(encoding="utf-8")


@pytest.mark.by_default(1)
@pytest.mark.parametrize("how", ["gone", "damaged", "other suite"])
def test_a_page_leaves_out_a_sheet_that_is_damaged_or_of_runs_that_it_has_not(pixelbench: Pixelbench, painter: Painter, how: str) -> None:
    assert pixelbench("sheet", "-n", "2")[0] == 0
    if how == "gone":
        Path(SHEET).unlink()
    elif how == "damaged":
        Path(SHEET).write_bytes(Path(SHEET).read_bytes()[:500])
    code, _, _ = pixelbench("report", "--format", "markdown", *(("--suite", "quick") if how == "other suite" else ()))
    assert code == 0
    assert "Samples at a glance" not in Path("runs/report.md").read_text(encoding="utf-8")


def test_a_store_without_weights_and_a_task_without_runs_are_refused(pixelbench: Pixelbench, specs: list[RunSpec], tmp_path: Path) -> None:
    store_run(tmp_path / "runs", specs[0])
    for arguments, said in (((), "No weights of a model are stored in 'runs'"), (("photo",), "Unknown task with runs 'photo'")):
        code, out, err = pixelbench("sheet", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err


def test_samples_come_with_an_animation_of_the_same_images(pixelbench: Pixelbench, painter: Painter) -> None:
    code, out, _ = pixelbench("sample", "digits/gated-pixelcnn", "-n", "4", "--out", "new.png", "--animate", "--json")
    assert (code, only_json(out)["animation"]) == (0, "new.webp")
    with Image.open("new.webp") as picture:
        assert len(list(ImageSequence.Iterator(picture))) > 2
    code, out, _ = pixelbench("sample", "digits/gated-pixelcnn", "-n", "4", "--out", "plain.png", "--json")
    assert (code, only_json(out)["animation"]) == (0, None)
    assert not Path("plain.webp").exists()
    assert Path("plain.png").read_bytes() == Path("new.png").read_bytes()


def test_an_animation_of_too_many_images_is_refused_before_anything_is_drawn(pixelbench: Pixelbench, painter: Painter) -> None:
    for arguments in (("digits/gated-pixelcnn", "-n", "65"), ("digits/by-class", "-n", "7", "--class", "all")):
        code, out, err = pixelbench("sample", *arguments, "--animate")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "--animate shows at most 64 images" in err
    assert painter.conditions == []


def test_fidelity_names_the_features_and_says_what_is_not_comparable(
    pixelbench: Pixelbench, painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inception, "_network", lambda: (None, "0123456789abcdef" * 4))
    monkeypatch.setattr(inception, "_extracted", lambda net, layer, images, levels: torch.from_numpy(images[:, 0, 2, :4].copy()).double())
    code, out, err = pixelbench("fidelity", "digits/by-class", "-n", "20")
    assert (code, err) == (0, "")
    assert "digits/by-class: Fréchet distance/inception-01234567 " in out
    assert "over 20 samples against 20 training images, features inception-01234567." in out
    assert "FID" not in out
    code, out, _ = pixelbench("fidelity", "digits/by-class", "-n", "20", "--json")
    assert [(one["n"], one["published"]) for one in only_json(out)["scores"]] == [(20, []), (20, [])]
    assert all(condition.tolist() == [i % 10 for i in range(20)] for condition in painter.conditions)


def test_fidelity_without_weights_of_inception_draws_nothing(
    pixelbench: Pixelbench, painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(inception.VARIABLE, raising=False)
    code, out, err = pixelbench("fidelity", "digits/gated-pixelcnn")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "name a file that you have by" in err
    assert painter.conditions == []
