"""`pixelbench fetch TASK`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments import completing
from pixelbench.cli.arguments.options import AllowOverlapOption, DataOption, JsonOption
from pixelbench.cli.output import print_json, say

if TYPE_CHECKING:
    from pixelbench.data import Task

_EXAMPLES = """Example: pixelbench fetch cifar10 mnist --data ~/data

Example: pixelbench fetch folder:pictures/birds --skip-damaged"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(fetch)


def fetch(
    tasks: Annotated[
        list[str], typer.Argument(metavar="TASK…", help="Tasks (`pixelbench list tasks`), or folder:PATH.", autocompletion=completing.tasks)
    ],
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leaves out the files of an image folder that cannot be used; its digest says so.")
    ] = False,
    allow_overlap: AllowOverlapOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Get the images of tasks and verify them: download what is published, decode image folders once for all.

    What was interrupted goes on; what is there already is only verified.
    """
    from pixelbench.cli.obtaining import progress
    from pixelbench.data import get_task
    from pixelbench.data.folder import use_data_folder
    from pixelbench.errors import UserError

    use_data_folder(data)
    chosen = {name: get_task(name) for name in tasks}
    whole = [name for name, task in chosen.items() if not task.mapped]
    for option, given in (("--skip-damaged", skip_damaged), ("--allow-overlap", allow_overlap)):
        if given and whole:
            raise UserError(f"{option} is for image folders; '{whole[0]}' is published as a whole.")
    entries = []
    for name, task in chosen.items():
        if task.missing() and task.obtain is not None:
            with progress() as report:
                task.obtain(report, skip_damaged=skip_damaged, allow_overlap=allow_overlap)
        entries.append(_verified(get_task(name)))
        if not as_json:
            say(_sentence(entries[-1]))
    if as_json:
        print_json(entries)


def _verified(task: "Task") -> dict[str, Any]:
    """Read the images; raises where they are not those of the digest."""
    from pixelbench.data.prepare.decoded import prepared_root
    from pixelbench.data.task import data_digest
    from pixelbench.errors import UserError

    missing = task.missing()
    if missing:
        raise UserError(missing)
    data = task.load()
    if task.mapped and data_digest(data) != task.digest:  # all others are verified by `load`
        where = prepared_root()
        raise UserError(f"The prepared images of '{task.name}' were changed on the disk; remove them from '{where}' and try again.")
    sizes = {name: len(split) for name, split in data.splits().items()}
    return {"name": task.name, "images": sizes, "digest": task.digest, "preprocessing": task.preprocessing, "remarks": list(task.remarks)}


def _sentence(entry: dict[str, Any]) -> str:
    images = ", ".join(f"{count:,} {name}" for name, count in entry["images"].items())
    about = " ".join([entry["preprocessing"], *entry["remarks"]])
    return f"{entry['name']}: {images} images, verified (digest {entry['digest'][:12]}). {about}"
