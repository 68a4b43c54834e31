"""`pixelbench doctor`."""

import os
from pathlib import Path
from typing import Any

import typer

from pixelbench.cli.options import DEFAULT_RESULTS, JsonOption, ResultsOption
from pixelbench.cli.output import FAILED, print_json, print_table, say
from pixelbench.errors import UserError

PACKAGES = ("pixelbench", "torch", "numpy", "pandas", "scikit-learn", "scikit-image", "matplotlib", "pillow")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: pixelbench doctor --json")(doctor)


def doctor(results: ResultsOption = DEFAULT_RESULTS, as_json: JsonOption = False) -> None:
    """Say whether all is there: device, versions, torchvision, the tasks' images, a writable results folder. Exit code 1 if not; data sets
    that no package holds may be missing."""
    import platform

    import torch

    from pixelbench.data import task_names
    from pixelbench.data.sources.vision import torchvision_state
    from pixelbench.experiments.devices import available_cores

    tasks = {name: _task(name) for name in task_names()}
    state: dict[str, Any] = {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "torchvision": torchvision_state(),
        "devices": ["cpu", *(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count()))],
        "threads": {"torch": torch.get_num_threads(), "cores": available_cores()},
        "tasks": tasks,
        "results": _results(results),
    }
    ready = state["results"] == "writable" and all(found == "verified" or found.startswith("no data: ") for found in tasks.values())
    if as_json:
        print_json({**state, "ready": ready})
    else:
        print_table(("what", "found"), _lines(state))
        say("All is there." if ready else "Something is missing: see above.")
    if not ready:
        raise typer.Exit(FAILED)


def _task(name: str) -> str:
    from pixelbench.data import get_task

    try:
        missing = get_task(name).missing()
        if missing:
            return f"no data: {missing}"
        get_task(name).load()
    except UserError as error:
        return str(error)
    return "verified"


def _results(folder: Path) -> str:
    """Probe a folder that exists; one that does not is only asked for, since a look should leave nothing behind."""
    from pixelbench.files.writable import ensure_writable

    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        if existing == folder.absolute():
            ensure_writable(folder, 1 << 20)
        elif not (existing.is_dir() and os.access(existing, os.W_OK)):
            return f"cannot be made in '{existing}'"
    except UserError as error:
        return str(error)
    return "writable"


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and `--help` needs none of it

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _lines(state: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("python", state["python"]),
        *state["versions"].items(),
        ("torchvision", state["torchvision"]),
        ("devices", ", ".join(state["devices"])),
        ("threads", f"{state['threads']['torch']} by torch, {state['threads']['cores']} cores to use"),
        *((f"task {name}", found) for name, found in state["tasks"].items()),
        ("results folder", state["results"]),
    ]
