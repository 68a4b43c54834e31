"""Suites and figure files that hold anything: each is planned, read, or refused by a sentence."""

import random
from pathlib import Path

import pytest

from pixelbench.experiments.plan import make_plan
from pixelbench.published.figure_files import read_folder, reference_folder
from pixelbench.suites.load import ablation_names, load_suite, suite_names, suite_text
from tests.faults.outcomes import outcomes
from tests.faults.toml_mutations import damaged

_EXTENDING = 'name = "mine"\nextends = "quick"\ntasks = ["digits"]\n[[variant]]\nname = "pixelcnn"\nsettings = { layers = 2 }\n'
_EXTENDING += '[axes]\nlayers = [1, 2]\nmaps = [12, 24]\n[[task]]\nname = "digits"\n[[claim]]\ntask = "digits"\nvariant = "histogram"\n'
_EXTENDING += 'value = 1.90\nunit = "bits/dim"\nsource = "mine"\n'


@pytest.mark.parametrize("count", [150, pytest.param(3000, marks=pytest.mark.faults)])
def test_suites(tmp_path: Path, count: int) -> None:
    texts = [_EXTENDING, *map(suite_text, [*suite_names(), *ablation_names()])]
    path = tmp_path / "mine.toml"

    def attempt(chance: random.Random) -> None:
        path.write_bytes(damaged(chance.choice(texts), chance))
        make_plan(load_suite(str(path)), tmp_path / "none")

    fine, refused, wrong = outcomes(count, 15, attempt)
    assert wrong == []
    assert fine > count / 20
    assert refused > count / 3


@pytest.mark.parametrize("count", [150, pytest.param(2000, marks=pytest.mark.faults)])
def test_figure_files(tmp_path: Path, count: int) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(reference_folder().rglob("*.toml"))]
    path = tmp_path / "mine.toml"

    def attempt(chance: random.Random) -> None:
        path.write_bytes(damaged(chance.choice(texts), chance))
        for figure in read_folder(tmp_path):
            _ = figure.band

    fine, refused, wrong = outcomes(count, 16, attempt)
    assert wrong == []
    assert fine > count / 20
    assert refused > count / 3
