"""The torchvision guard: engages only when the plain import fails for want of an operator."""

import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from pixelbench.data.sources import vision


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(vision, "_engaged", {})
    vision.torchvision.cache_clear()
    yield
    vision.torchvision.cache_clear()


@pytest.mark.slow
def test_data_sets_transforms_and_utilities_can_be_imported() -> None:
    code = (
        "from pixelbench.data.sources.vision import torchvision, torchvision_state; torchvision(); "
        "import torchvision.datasets, torchvision.transforms, torchvision.utils; print(torchvision_state())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "not usable" not in done.stdout


def test_guard_stays_away_from_an_import_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    _imports(monkeypatch, [_module()])
    monkeypatch.setattr(vision, "_declare_operators", lambda: pytest.fail("the guard engaged"))
    assert vision.torchvision_state() == "9.9, complete"


def test_guard_engages_once_when_an_operator_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    _imports(monkeypatch, [RuntimeError("operator torchvision::nms does not exist"), _module()])
    declared: list[int] = []
    monkeypatch.setattr(vision, "_declare_operators", lambda: declared.append(1))
    assert vision.torchvision_state().startswith("9.9, without compiled operators (operator torchvision::nms does not exist)")
    vision.torchvision()
    assert declared == [1]


def test_another_failure_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _imports(monkeypatch, [RuntimeError("out of luck"), RuntimeError("out of luck")])
    monkeypatch.setattr(vision, "_declare_operators", lambda: pytest.fail("the guard engaged"))
    with pytest.raises(RuntimeError, match="out of luck"):
        vision.torchvision()
    assert vision.torchvision_state() == "not usable: out of luck"


def _module() -> ModuleType:
    module = ModuleType("torchvision")
    module.__version__ = "9.9"  # type: ignore[attr-defined]
    return module


def _imports(monkeypatch: pytest.MonkeyPatch, outcomes: list[ModuleType | RuntimeError]) -> None:
    """`import torchvision` gives the outcomes one after the other."""
    coming = iter(outcomes)

    def import_module(name: str) -> ModuleType:
        outcome = next(coming)
        if isinstance(outcome, RuntimeError):
            raise outcome
        return outcome

    monkeypatch.setattr(vision.importlib, "import_module", import_module)
