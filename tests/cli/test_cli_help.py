"""Help answers at once and shows an example; looking things up and planning load no torch."""

from pathlib import Path

import pytest

from pixelbench.cli.options import parse_seeds
from pixelbench.errors import UserError
from pixelbench.store.spec import RunSpec
from tests.cli.cli_stores import Pixelbench, loaded_after, store_run

COMMANDS = ("run", "ablate", "fetch", "compare", "check", "audit", "plan", "report", "list", "show", "status", "doctor", "sample")
HEAVY = ("torch", "torchvision", "pandas", "matplotlib", "skimage", "sklearn", "PIL")


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_shows_an_example(pixelbench: Pixelbench, command: tuple[str, ...]) -> None:
    code, out, err = pixelbench(*command, "--help")
    assert (code, err) == (0, "")
    assert ("Example: pixelbench" if command else "Start with: pixelbench run --suite quick") in out


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
