"""Help answers at once and shows an example; looking things up and planning load no torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from pixelbench import __version__
from pixelbench.cli.arguments.options import parse_seeds
from pixelbench.errors import UserError
from pixelbench.store.spec import RunSpec
from tests.cli.cli_stores import Pixelbench, loaded_after, store_run

COMMANDS = ("run", "ablate", "fetch", "compare", "check", "audit", "plan", "report", "list", "show", "status", "doctor", "sample")
HEAVY = ("torch", "torchvision", "pandas", "matplotlib", "skimage", "sklearn", "PIL")


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_shows_an_example(pixelbench: Pixelbench, command: tuple[str, ...]) -> None:
    code, out, err = pixelbench(*command, "--help")
    assert (code, err) == (0, "")
    assert ("Example: pixelbench" if command else "Start with: pixelbench run quick") in out


def test_help_lists_every_command(pixelbench: Pixelbench) -> None:
    out = pixelbench("--help")[1]
    assert all(name in out for name in COMMANDS)


def test_help_loads_nothing_slow(tmp_path: Path) -> None:
    assert loaded_after(["--help"], HEAVY, tmp_path) == "0 []"


def test_planning_and_looking_up_load_no_torch(tmp_path: Path) -> None:
    assert loaded_after(["plan", "--suite", "quick"], ("torch",), tmp_path) == "0 []"


def test_second_run_loads_no_torch(tmp_path: Path, specs: list[RunSpec]) -> None:
    for spec in specs:
        store_run(tmp_path / "runs", spec)
    arguments = ["run", "--suite", "quick", "--only", "digits/*", "--device", "cpu"]
    assert loaded_after(arguments, ("torch",), tmp_path) == "0 []"


def test_seeds() -> None:
    assert parse_seeds("0-2") == [0, 1, 2]
    assert parse_seeds("3,0, 5-6") == [0, 3, 5, 6]
    assert parse_seeds(None) is None
    for wrong in ("", "-1", "1-", "2-1", "x", "1,,2", str(2**63)):
        with pytest.raises(UserError, match="whole numbers"):
            parse_seeds(wrong)


def test_the_version_is_said_by_the_package_the_option_and_the_module(pixelbench: Pixelbench, tmp_path: Path) -> None:
    assert pixelbench("--version") == (0, f"pixelbench {__version__}\n", "")
    program = [sys.executable, "-m", "pixelbench"]
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == f"pixelbench {__version__}\n"
    wrong = subprocess.run([*program, "shwo"], capture_output=True, text=True, cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("No such command 'shwo'.")
    citation = Path(__file__).parents[2] / "CITATION.cff"
    assert f"\nversion: {__version__}\n" in citation.read_text(encoding="utf-8")
