"""`pixelbench sheet [TASK…]`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelbench.cli.arguments.options import DEFAULT_RESULTS, DataOption, JsonOption, ResultsOption, check_seed
from pixelbench.cli.output import print_json, say
from pixelbench.errors import UserError, unknown

if TYPE_CHECKING:
    from pixelbench.analysis.tables import TaskTable
    from pixelbench.reports.report import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: pixelbench sheet digits photos --animate")(sheet)


def sheet(
    tasks: Annotated[list[str] | None, typer.Argument(metavar="[TASK]...", help="Tasks to draw; else all with stored weights.")] = None,
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=32, help="How many images in a row.")] = 12,
    seed: Annotated[int, typer.Option("--seed", min=0, callback=check_seed, help="Another seed, other images.")] = 0,
    animate: Annotated[bool, typer.Option("--animate", help="Also a short animated WebP of how the best model draws.")] = False,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a picture per task from the stored weights: samples of each model, nearest training images, completions, temperatures, classes.

    The sheets lie in report-files beside the pages, and `pixelbench report` shows them.
    """
    from pixelbench.data.folder import use_data_folder
    from pixelbench.experiments.sheet import Options
    from pixelbench.reports.report import build_report
    from pixelbench.store.scan import require_store

    use_data_folder(data)
    built = build_report(require_store(results))
    tables = _chosen(built, tasks or [], results)
    written = [_write(built, table, Options(n, seed), animate) for table in tables]
    if as_json:
        print_json(written)


def _chosen(built: "Report", names: list[str], results: Path) -> "list[TaskTable]":
    """The tables to draw.

    Raises:
        UserError: a task that has no runs here; or none was named, and nothing has weights.
    """
    from pixelbench.experiments.sheet import has_weights

    by_name = {table.task: table for table in built.tables}
    for name in names:
        if name not in by_name:
            raise unknown("task with runs", name, by_name)
    if names:
        return [by_name[name] for name in dict.fromkeys(names)]
    found = [table for table in built.tables if any(has_weights(cell) for cell in built.cells if cell.task == table.task)]
    if not found:
        raise UserError(f"No weights of a model are stored in '{results}', so there is nothing to draw; run one with `pixelbench run`.")
    return found


def _write(built: "Report", table: "TaskTable", options, animate: bool) -> dict[str, object]:
    """Draw and write the files of a task; returns what `--json` says of them."""
    from pixelbench.evaluation.animation import drawing_webp
    from pixelbench.evaluation.sheets import as_shares
    from pixelbench.experiments.sheet import draw_sheet
    from pixelbench.files.atomic import write_bytes
    from pixelbench.reports.pictures.sheets import drawing_file, sheet_file

    cells = [cell for cell in built.cells if cell.task == table.task]
    drawn = draw_sheet(table, cells, options, say)
    paths = {"path": built.store / sheet_file(table.task)}
    write_bytes(paths["path"], drawn.png)
    say(f"Sheet: {paths['path']}")
    if drawn.without:
        say(f"Without weights, so not on it: {', '.join(drawn.without)}.")
    if animate:
        paths["animation"] = built.store / drawing_file(table.task)
        write_bytes(paths["animation"], drawing_webp(as_shares(drawn.samples, table.levels), drawn.order))
        say(f"Animation: {paths['animation']}")
    return {"task": table.task, "best": drawn.best, "without_weights": drawn.without, **paths}
