"""The workflow of examples/ci is one that GitHub reads, and its commands exist with those options."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pixelbench.cli.main import UsageFault, app
from pixelbench.models.foreign.source import find_source
from pixelbench.suites.load import load_suite

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKFLOW = EXAMPLES / "ci" / "pixelbench.yml"


def steps() -> list[dict[str, Any]]:
    """The steps of the one job."""
    (job,) = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    return job["steps"]


def commands() -> list[list[str]]:
    """What is run of ours, word by word, without what the shell does with it."""
    lines = [line for step in steps() for line in step.get("run", "").splitlines()]
    return [shlex.split(line.split(" >> ")[0])[1:] for line in lines if line.startswith("pixelbench ")]


def parsed(words: list[str]) -> dict[str, Any]:
    """The values of a command line's options, as typer reads it; nothing is executed."""
    group = typer.main.get_command(app)
    context = group.make_context("pixelbench", [words[0]])
    command = group.get_command(context, words[0])  # type: ignore[attr-defined]
    return command.make_context(words[0], words[1:], parent=context).params


def test_github_reads_it() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert set(workflow) == {"name", True, "permissions", "jobs"}  # `on` is YAML for true
    assert all(("run" in step) != ("uses" in step) for step in steps())
    runs = "\n".join(step["run"] for step in steps() if "run" in step)
    parts = ("whl/cpu", 'pip install "$PIXELBENCH"', "pixelbench check", "pixelbench run", "pixelbench compare")
    assert [runs.index(part) for part in parts] == sorted(runs.index(part) for part in parts)
    assert '>> "$GITHUB_STEP_SUMMARY"' in runs


def test_its_commands_exist_with_these_options() -> None:
    check, run, compare = map(parsed, commands())
    assert check["target"] == "my_net.py::make_model"
    assert (run["suite"], run["no_fetch"], run["results"]) == ("suite.toml", True, Path("runs"))
    assert (compare["b"], compare["markdown"]) == (run["results"], Path("-"))
    with pytest.raises(UsageFault):
        parsed(["compare", "a", "b", "--markup", "-"])


def test_what_it_names_is_in_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    check, run, _ = map(parsed, commands())
    monkeypatch.chdir(EXAMPLES / "own-module")
    assert find_source(check["target"]).name == "make_model"
    suite = load_suite(run["suite"])
    assert run["budget"] in suite.budgets
    assert int(run["seeds"]) in suite.seeds


def test_versions_of_torch_are_those_of_the_package() -> None:
    text = (EXAMPLES.parent / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("torch", "torchvision"):
        (needed,) = re.findall(rf'^    "({name}>=.*?)",$', text, re.M)
        assert f'"{needed}"' in WORKFLOW.read_text(encoding="utf-8")
