"""Narrow terminals: what matters stands there whole, and what has no room is named."""

import re
from pathlib import Path

import pytest

from tests.cli.cli_stores import Pixelbench
from tests.support.record_factory import add_photos


def test_a_report_names_the_columns_that_have_no_room(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    add_photos(tmp_path / "store")
    shown = {}
    for width in (80, 300):
        monkeypatch.setenv("COLUMNS", str(width))
        code, out, _ = pixelbench("report", "--results", "store", "--format", "terminal")
        assert code == 0
        assert max(map(len, out.splitlines())) <= width
        shown[width] = out
    left_out = re.search(r"Left out at 80 columns: ([^.]*)\.", shown[80])
    assert left_out is not None
    names = " ".join(left_out[1].split()).split(", ")
    header = shown[80].splitlines()[2]
    assert {"updates", "parameters"} <= set(names)
    assert "status" not in names  # it says `done` of each
    assert all(name in header for name in ("variant", "bits/dim", "causal"))
    assert all(name not in header for name in names)
    assert "Left out" not in shown[300]


def test_a_plan_of_sixty_columns_shows_state_and_seconds(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    code, out, _ = pixelbench("plan", "--suite", "quick", "--only", "digits/*")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= 60
    assert all(name in lines[1] for name in ("task/variant", "seed", "updates", "state", "seconds"))
    assert out.count("missing") >= 9
    assert "│digits/gated-" in out  # broken behind a hyphen
    assert re.search(r"│[0-9a-f]{12} +│", out)
    monkeypatch.setenv("COLUMNS", "120")
    _, wide, _ = pixelbench("plan", "--suite", "quick", "--only", "digits/*")
    assert re.search(r"│ [0-9a-f]{12} │ digits/gated-pixelcnn", wide)
