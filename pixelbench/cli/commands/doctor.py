"""`pixelbench doctor`."""

from typing import TYPE_CHECKING, Any

import typer

from pixelbench.cli.arguments.options import DEFAULT_RESULTS, DataOption, JsonOption, ResultsOption
from pixelbench.cli.output import FAILED, print_json, print_table, say
from pixelbench.errors import UserError

if TYPE_CHECKING:
    from pixelbench.files.examine import FolderState

PACKAGES = ("pixelbench", "torch", "numpy", "pandas", "scikit-learn", "scikit-image", "matplotlib", "pillow")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: pixelbench doctor --results runs --data ~/data")(doctor)


def doctor(results: ResultsOption = DEFAULT_RESULTS, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Say whether all is there: device, versions, torchvision, the tasks' images, a results folder that works.

    Files are really written, replaced and locked in it, and removed again. Exit code 1 if something is missing; data sets that no package
    holds may be.
    """
    import dataclasses
    import platform

    import torch

    from pixelbench.data import task_names
    from pixelbench.data.folder import data_folder, use_data_folder
    from pixelbench.data.sources.vision import torchvision_state
    from pixelbench.experiments.devices import available_cores
    from pixelbench.files.examine import examine, existing, file_system

    use_data_folder(data)
    folder, images = examine(results), data_folder()
    tasks = {name: _task(name) for name in task_names()}
    state: dict[str, Any] = {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "torchvision": torchvision_state(),
        "devices": ["cpu", *(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count()))],
        "threads": {"torch": torch.get_num_threads(), "cores": available_cores()},
        "tasks": tasks,
        "results": folder.problem or "writable",
        "results_folder": dataclasses.asdict(folder),
        "data_folder": {"folder": images, "exists": images.is_dir(), "file_system": file_system(existing(images))},
    }
    ready = folder.problem is None and all(found == "verified" or found.startswith("no data: ") for found in tasks.values())
    if as_json:
        print_json({**state, "ready": ready})
    else:
        print_table(("what", "found"), _lines(state, folder))
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


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and `--help` needs none of it

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _lines(state: dict[str, Any], folder: "FolderState") -> list[tuple[str, str]]:
    data = state["data_folder"]
    return [
        ("python", state["python"]),
        *state["versions"].items(),
        ("torchvision", state["torchvision"]),
        ("devices", ", ".join(state["devices"])),
        ("threads", f"{state['threads']['torch']} by torch, {state['threads']['cores']} cores to use"),
        *((f"task {name}", found) for name, found in state["tasks"].items()),
        ("data folder", f"{data['folder']}, {data['file_system'] or 'unknown file system'}{'' if data['exists'] else ', not there yet'}"),
        ("results folder", _folder_line(folder)),
    ]


def _folder_line(folder: "FolderState") -> str:
    """`runs: files can be written, replaced and locked; 80.6 GB free, ext4`."""
    free = "free space unknown" if folder.free_bytes is None else f"{folder.free_bytes / 1e9:,.1f} GB free"
    able = folder.problem or f"files can be written, replaced and locked{'' if folder.exists else ', once it is made'}"
    return f"{folder.folder}: {able}; {free}, {folder.file_system or 'unknown file system'}"
