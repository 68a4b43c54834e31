"""A command line in an empty folder, and what the quick suite asks for."""

from pathlib import Path

import pytest

from pixelbench.cli.main import main
from pixelbench.experiments.plan import make_plan
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from tests.cli.cli_stores import Pixelbench


@pytest.fixture
def pixelbench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pixelbench:
    """Runs a command line in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def specs(tmp_path: Path) -> list[RunSpec]:
    """What the quick suite asks for on digits."""
    plan = make_plan(load_suite("quick"), tmp_path / "none", only=["digits/*"])
    return [cell.spec for cell in plan.cells]
