"""The notebooks of the documentation run from top to bottom, and the outputs that are committed are such a run's.

To execute one again after a change: `python -m tests.docs.test_notebook`.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

import pixelbench as pb

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
#: Seconds for a cell, also on a machine with other work.
_PATIENCE = 600
_EXECUTE = (
    "import sys, nbformat; from nbclient import NotebookClient\n"
    "notebook = nbformat.read(sys.argv[1], 4)\n"
    f"NotebookClient(notebook, timeout={_PATIENCE}, kernel_name='python3', record_timing=False, coalesce_streams=True).execute()\n"
    "nbformat.write(notebook, sys.argv[2])"
)


def executed(notebook: Path, into: Path) -> Any:
    """The notebook after a run in a new kernel, written to `into` as well; its first error is the process's."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"}
    done = subprocess.run([sys.executable, "-c", _EXECUTE, str(notebook), str(into)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return nbformat.read(into, 4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(notebook: Any) -> str:
    """All text that its cells have printed."""
    return "".join(output.text for cell in code(notebook) for output in cell.outputs if output.output_type == "stream")


def tells_the_story(notebook: Any) -> None:
    """From the black samples to the certificate, the fix and the score."""
    text = printed(notebook)
    broken, fixed = (float(number) for number in re.findall(r"(\d\.\d+) ± \d\.\d+ bits/dim", text))
    assert broken < 1 < fixed < 2.3
    assert [word in text for word in ("Not causal: input", "sees-itself", "Predicted in sequence", "No leak found")] == [True] * 4
    assert text.rindex("Not causal") < text.rindex("No leak found")
    pictures = [output for cell in code(notebook) for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_was_executed_whole(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert path.stat().st_size < 200_000
    assert str(ROOT) not in path.read_text(encoding="utf-8")
    tells_the_story(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_names_are_those_of_the_package(path: Path) -> None:
    tree = ast.parse("\n".join(cell.source for cell in code(nbformat.read(path, 4))))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pb"
    }
    assert used
    assert used <= set(pb.__all__)


@pytest.mark.notebook
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    tells_the_story(executed(path, tmp_path / path.name))


def test_there_is_one() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["why-are-my-samples-black"]


if __name__ == "__main__":
    for found in NOTEBOOKS:
        executed(found, found)
