"""What somebody tries in the first minutes: no command, a suite by its place, pytest's two colons, the Tab key, Ctrl-C under --json."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelbench.cli.arguments import completing
from pixelbench.data import task_names
from pixelbench.experiments.plan import Plan
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.importing import split_target, with_one_colon
from pixelbench.models.families import FAMILIES
from pixelbench.models.foreign.source import find_source, from_file
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import ablation_names, suite_names
from tests.cli.cli_stores import Pixelbench, only_json, store_run

MODULE = """
import torch

class Net(torch.nn.Conv2d):
    def __init__(self, channels=1, levels=2):
        super().__init__(1, 1, 3, padding=1)
"""


def test_no_command_is_help_and_no_failure(pixelbench: Pixelbench) -> None:
    assert pixelbench() == pixelbench("--help")
    assert pixelbench()[0] == 0


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_suite_is_given_by_its_place_too(pixelbench: Pixelbench, command: str) -> None:
    chosen = ("--only", "digits/uniform", *(("--dry-run",) if command == "run" else ()), "--json")
    by_place, by_option = pixelbench(command, "quick", *chosen), pixelbench(command, "--suite", "quick", *chosen)
    assert by_place == by_option
    assert only_json(by_place[1])["suite"] == "quick"


@pytest.mark.parametrize("command", ["run", "plan"])
def test_no_suite_and_two_of_them_are_one_sentence(pixelbench: Pixelbench, command: str) -> None:
    assert pixelbench(command) == (2, "", f"Say which suite, such as `pixelbench {command} quick`; `pixelbench list suites` names them.\n")
    code, _, err = pixelbench(command, "quick", "--suite", "paper")
    assert (code, err) == (2, "The suite is given twice, 'quick' and --suite 'paper'; leave one of the two out.\n")


def test_too_many_seeds_are_refused_before_a_device_is_looked_for(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelbench.experiments.devices.resolve_device", lambda _: pytest.fail("asked for a device"))
    code, _, err = pixelbench("run", "quick", "--seeds", "0-99999999")
    assert (code, err) == (2, "At most 10,000 seeds can be asked for at once; got '0-99999999'.\n")


def test_flags_take_no_value_in_the_help(pixelbench: Pixelbench) -> None:
    out = pixelbench("run", "--help")[1]
    (line,) = [line for line in out.splitlines() if "--no-fetch" in line]
    assert "Downloads and prepares no images" in line
    assert "<bool>" not in out
    assert "default: True" not in out
    assert "<bool>" not in pixelbench("--help")[1]


@pytest.mark.parametrize(
    ("text", "where", "name"),
    [("a.py:F", "a.py", "F"), ("d/a.py::F", "d/a.py", "F"), ("p.m:F", "p.m", "F"), ("p.m::F", "p.m", "F"), ("a.py", "", "a.py")],
)
def test_two_colons_are_one(text: str, where: str, name: str) -> None:
    assert split_target(text) == (where, name)
    assert with_one_colon(text) == (f"{where}:{name}" if where else text)


@pytest.mark.slow
def test_pytests_two_colons_name_the_same_module(pixelbench: Pixelbench, tmp_path: Path) -> None:
    """By one name, by which runs and reports know it."""
    (tmp_path / "net.py").write_text(MODULE, encoding="utf-8")
    code, out, _ = pixelbench("check", "net.py::Net", "--shape", "1,3,3")
    assert code == 1
    assert out.startswith("net.py:Net (1x3x3, eval mode): Not causal")
    assert from_file("net.py::Net", tmp_path) == "net.py:Net"
    assert from_file("pixelbench.units::bits_per_dim", tmp_path) == "pixelbench.units:bits_per_dim"
    assert find_source("net.py::Net") is find_source("net.py:Net")
    assert FAMILIES["net.py::Net"].name == "net.py:Net"


def completed(words: str, cwd: Path) -> list[str]:
    """What bash is offered for the last of `words`, and that torch was not loaded for it."""
    program = (
        "import sys\nfrom pixelbench.cli.main import main\n"
        "try:\n    main([])\nfinally:\n    assert not {'torch', 'pandas'} & set(sys.modules)"
    )
    asked = {"_PIXELBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **asked}, cwd=cwd, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_the_tab_key(tmp_path: Path) -> None:
    (tmp_path / "mine" / "digits" / "pixelcnn").mkdir(parents=True)
    (tmp_path / "mine" / "work" / "locks").mkdir(parents=True)
    assert completed("pixelbench run q", tmp_path) == ["quick"]
    assert completed("pixelbench run --suite q", tmp_path) == ["quick"]
    assert completed("pixelbench sample --results mine d", tmp_path) == ["digits/pixelcnn"]


@pytest.mark.parametrize(
    ("candidates", "names"),
    [
        (completing.suites, suite_names()),
        (completing.ablations, ablation_names()),
        (completing.tasks, list(task_names())),
        (completing.targets, list(FAMILIES)),
    ],
)
def test_candidates_are_all_names_that_begin_so(candidates: Callable[[str], list[str]], names: list[str]) -> None:
    assert candidates("") == names
    first = names[0]
    assert candidates(first[:3]) == [name for name in names if name.startswith(first[:3])]
    assert candidates("no such name") == []


def test_each_list_is_completed_and_each_candidate_is_a_list(pixelbench: Pixelbench) -> None:
    known = pixelbench("list", "nothing")[2].partition("Known: ")[2].rstrip(".\n").split(", ")
    assert sorted(completing.KINDS) == sorted(known)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_of_completion_are_for_this_program(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv("_PIXELBENCH_COMPLETE", f"source_{shell}")
    code, out, _ = pixelbench()
    assert code == 0
    assert f"_PIXELBENCH_COMPLETE=complete_{shell}" in out


def test_ctrl_c_leaves_a_whole_document_of_what_is_done(
    pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch, specs: list[RunSpec]
) -> None:
    def stopped(plan: Plan, **_: object) -> Outcome:
        store_run(plan.store, plan.to_run[0].spec)
        return Outcome(done=plan.to_run[:1], remaining=plan.to_run[1:], signal=signal.SIGINT)

    monkeypatch.setattr("pixelbench.experiments.schedule.scheduler.run_plan", stopped)
    code, out, err = pixelbench("run", "quick", "--only", "digits/*", "--device", "cpu", "--json")
    document = only_json(out)
    assert code == 130
    assert document["interrupted"] == "SIGINT"
    assert [run["status"] for run in document["runs"]] == ["done", *["missing"] * (len(specs) - 1)]
    assert document["report"] is None
    assert "Go on with: " in err


@pytest.mark.parametrize("place", ["pixelbench.cli.suites.plan_suite", "pixelbench.experiments.schedule.scheduler.run_plan"])
def test_ctrl_c_before_the_first_run_leaves_a_document_too(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupt)
    before = signal.getsignal(signal.SIGINT)
    code, out, _ = pixelbench("run", "quick", "--only", "digits/uniform", "--device", "cpu", "--json")
    assert (code, only_json(out)["interrupted"]) == (130, "SIGINT")
    assert all(run["status"] == "missing" for run in only_json(out)["runs"])
    assert signal.getsignal(signal.SIGINT) is before
    assert pixelbench("run", "quick", "--only", "digits/uniform", "--device", "cpu")[:2] == (130, "")
