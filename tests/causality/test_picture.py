"""The picture of the map: every kind of cell in its colour, the same bytes each time, a whole file or none."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from PIL import Image

from pixelbench.causality.render.map_text import map_rows
from pixelbench.causality.render.picture import KINDS, map_figure, map_png, write_map
from pixelbench.causality.report import CausalityReport
from pixelbench.errors import UserError
from tests.causality.handmade import raster, report_on


def one_stack(**changed: Any) -> CausalityReport:
    """Sees two rows above, each one column farther to the right than the row below it."""
    return report_on(sees, (1, 5, 7), **changed)


def sees(out: tuple[int, int, int], into: tuple[int, int, int]) -> bool:
    row, column = into[1] - out[1], into[2] - out[2]
    return (row == 0 and -2 <= column < 0) or (-2 <= row < 0 and -2 <= column <= -row)


def leaking() -> CausalityReport:
    return report_on(lambda out, into: raster(into) < raster(out) or out == into, (3, 2, 3))


def drawn(report: CausalityReport, panel: int) -> dict[str, int]:
    """Letter → how many cells of a panel are filled with its colour."""
    letters = {to_rgba(colour): letter for letter, (colour, _) in KINDS.items()}
    squares = [one for one in map_figure(report).axes[panel].collections if isinstance(one, PatchCollection)]
    return {letters[to_rgba(np.asarray(one.get_facecolor())[0])]: len(one.get_paths()) for one in squares}


def test_cells_tell_blind_spots_from_what_lies_beyond_the_context() -> None:
    assert map_rows(one_stack(), 0, 0) == [
        ".......",
        ".#####.",
        ".####b.",
        ".##    ",
        "       ",
    ]


def test_each_cell_has_the_colour_of_its_kind() -> None:
    assert drawn(one_stack(), 0) == {".": 12, "#": 11, "b": 1, " ": 11}
    report = leaking()
    figure = map_figure(report)
    assert [axes.get_title() for axes in figure.axes] == [f"{out} sees {into}" for out in "RGB" for into in "RGB"]
    assert drawn(report, 0)["x"] == drawn(report, 4)["x"] == drawn(report, 8)["x"] == 1
    assert "x" not in drawn(report, 1)


def test_the_title_says_what_was_found() -> None:
    title = map_figure(leaking()).get_suptitle()
    assert title.startswith("made by hand (3x2x3, eval mode): leaky\nNot causal: input R at (0, 0) changes output R")
    assert "eval mode, after a training step): no leak found" in map_figure(one_stack(after_step=True)).get_suptitle()


def test_the_legend_names_what_is_there_and_nothing_else() -> None:
    (legend,) = map_figure(one_stack()).legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words[:-1] == [KINDS[letter][1] for letter in "#b. "]
    assert words[-1].startswith("the output's own pixel")


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["map.png", "map.SVG"])
def test_the_same_report_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    write_map(leaking(), tmp_path / name)
    once = (tmp_path / name).read_bytes()
    write_map(leaking(), tmp_path / name)
    assert (tmp_path / name).read_bytes() == once
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.slow
def test_another_process_draws_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "certificate.json").write_text(json.dumps(leaking().to_json()))
    program = (
        "import hashlib, sys; from pathlib import Path; from pixelbench.causality.report import CausalityReport;"
        "from pixelbench.causality.render.picture import map_png;"
        "print(hashlib.sha256(map_png(CausalityReport.read(Path(sys.argv[1])))).hexdigest())"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", program, tmp_path / "certificate.json"],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert drawn == {hashlib.sha256(map_png(leaking())).hexdigest() + "\n"}


def test_a_png_is_of_bearable_size_however_far_the_context_reaches() -> None:
    far = report_on(lambda out, into: raster(into) < raster(out), (1, 30, 30))
    with Image.open(io.BytesIO(map_png(far))) as picture:
        assert picture.width <= 800
        assert picture.height <= 800
    assert len(map_png(far)) < 150_000


def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.png or \.svg"):
        write_map(one_stack(), tmp_path / "map.jpg")
    (tmp_path / "map.png").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_map(one_stack(), tmp_path / "map.png")
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]
