"""`sample --class`: which classes are drawn and how the picture says it."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pixelbench.data import get_task
from pixelbench.store.spec import RunSpec
from tests.cli.cli_stores import Pixelbench, store_run


class Painter:
    """Stands for a model of digits with classes: each image is its class everywhere that nothing is held."""

    leaks_by_design = False
    completion = "approximate"

    def sample(self, n: int = 0, *, condition: torch.Tensor, given: Any = None, known: Any = None, **_: object) -> torch.Tensor:
        painted = condition.to(torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8).clone()
        return painted if known is None else torch.where(known, given, painted)


@pytest.fixture
def pictures(tmp_path: Path, specs: list[RunSpec], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A store with a conditional and an unconditional run; what is drawn, as arguments of `grid_png`."""
    plain = next(spec for spec in specs if spec.variant == "gated-pixelcnn")
    by_class = dataclasses.replace(plain, variant="by-class", settings=plain.settings | {"condition": "class", "classes": 10})
    for spec in (plain, by_class):
        store_run(tmp_path / "runs", spec)
    drawn: list[Any] = []
    monkeypatch.setattr("pixelbench.experiments.stored.load_run", lambda folder: Painter())
    monkeypatch.setattr("pixelbench.evaluation.grids.grid_png", lambda *given: drawn.append(given) or b"picture")
    return drawn


def classes_of(images: np.ndarray) -> list[int]:
    return images[:, 0, -1, -1].tolist()


def test_one_class_or_all_or_each_in_turn(pixelbench: Pixelbench, pictures: list[Any]) -> None:
    for options in (["--class", "3"], ["--class", "all"], []):
        assert pixelbench("sample", "digits/by-class", "-n", "2", *options)[0] == 0
    ((three,), _, *_), ((everything,), _, columns, rows), ((turn,), _, *_) = pictures
    assert (classes_of(three[1]), three[0]) == ([3, 3], "by-class, class 3, seed 0")
    assert classes_of(everything[1]) == [c for c in range(10) for _ in range(2)]
    assert (columns, list(rows)) == (2, [str(c) for c in range(10)])
    assert (classes_of(turn[1]), turn[0]) == ([0, 1], "by-class, classes 0 to 1 in turn, seed 0")


def test_test_images_of_the_class_are_completed_and_approximately_is_said(pixelbench: Pixelbench, pictures: list[Any]) -> None:
    assert pixelbench("sample", "digits/by-class", "-n", "3", "--class", "7", "--complete", "0.5")[0] == 0
    ((_, real), (_, _), (label, completed)), *_ = pictures[0]
    test = get_task("digits").load().test
    assert test.labels is not None
    np.testing.assert_array_equal(real, test.images[test.labels == 7][:3])
    np.testing.assert_array_equal(completed[:, :, :4], real[:, :, :4])
    assert (completed[:, :, 4:] == 7).all()
    assert label == "approximately completed by by-class, class 7, seed 0"


@pytest.mark.parametrize(
    ("run", "options", "sentence"),
    [
        ("gated-pixelcnn", ["--class", "3"], "gated-pixelcnn has no classes to choose from; leave --class out."),
        ("by-class", ["--class", "10"], "by-class has classes 0 to 9; --class takes one of them, or all; got '10'."),
        ("by-class", ["--class", "-1"], "by-class has classes 0 to 9; --class takes one of them, or all; got '-1'."),
        ("by-class", ["--class", "all", "-n", "99", "--complete", "0.5"], "too few test images of some class"),
    ],
)
def test_errors_are_one_sentence(pixelbench: Pixelbench, pictures: list[Any], run: str, options: list[str], sentence: str) -> None:
    code, out, err = pixelbench("sample", f"digits/{run}", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
