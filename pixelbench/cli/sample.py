"""`pixelbench sample RUN`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelbench.cli.options import DEFAULT_RESULTS, DataOption, JsonOption, ResultsOption
from pixelbench.cli.output import print_json, say
from pixelbench.errors import UserError, unknown

if TYPE_CHECKING:
    from pixelbench.reports.runs import Run


class Method(StrEnum):
    """How images are drawn; the same images come out."""

    auto = "auto"
    cached = "cached"
    naive = "naive"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog="Example: pixelbench sample photos/gated-pixelcnn -n 16 --complete 0.5 --out completed.png")(sample)


def sample(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The first digits of a run key, or task/variant; see `pixelbench status`.")],
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=1024, help="How many images.")] = 16,
    temperature: Annotated[float, typer.Option("--temperature", help="Above 0; 1 is the model itself, less is tamer.")] = 1.0,
    complete: Annotated[
        float | None, typer.Option("--complete", help="Holds this fraction of test images from the top and draws the rest.")
    ] = None,
    method: Annotated[Method, typer.Option("--method", help="cached is fast, naive the slow reference; same images.")] = Method.auto,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other images.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="The PNG; by default named after run and seed.", metavar="PNG")] = None,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draws new images from a stored run's model into one labelled PNG."""
    if not temperature > 0 or temperature == float("inf"):
        raise UserError(f"--temperature must be above 0, such as 0.9; got {temperature:g}.")
    if complete is not None and not 0 < complete < 1:
        raise UserError(f"--complete is the fraction of an image that is held, between 0 and 1, such as 0.5; got {complete:g}.")
    found = find_run(results, run)
    path = out or Path(f"{found.task}-{found.variant}-{found.key[:6]}-seed{seed}.png")
    if path.is_dir() or not path.parent.is_dir():
        raise UserError(f"--out '{path}' must be a file in a folder that exists.")
    _draw(found, n, temperature, complete, method, seed, path)
    if as_json:
        print_json({"run_key": found.key, "task": found.task, "variant": found.variant, "n": n, "path": path, "causal": not found.leaky})
    else:
        say(f"Samples: {path}")


def find_run(results: Path, name: str) -> "Run":
    """The one finished run that a key prefix or `task/variant` names; of several seeds the lowest.

    Raises:
        UserError: none, or runs that differ in more than the seed.
    """
    from pixelbench.reports.runs import cells_of, load_runs
    from pixelbench.store.scan import require_store, scan

    runs = load_runs(scan(require_store(results)))
    chosen = [run for run in runs if f"{run.task}/{run.variant}" == name] or [run for run in runs if name and run.key.startswith(name)]
    if not chosen and not runs:
        raise UserError(f"No runs are stored in '{results}'; make them with `pixelbench run --suite quick`.")
    if not chosen:
        raise unknown("run", name, {f"{run.task}/{run.variant}" for run in runs})
    finished = [run for run in chosen if run.done]
    if not finished:
        raise UserError(f"Run '{name}' ended as {chosen[0].record['status']}, so it has no model to draw from; see `pixelbench status`.")
    if len(cells_of(finished)) > 1:
        raise UserError(f"'{name}' names {len(finished)} runs; say which by its key: {', '.join(run.key for run in finished)}.")
    return finished[0]


def _draw(run: "Run", n: int, temperature: float, complete: float | None, method: Method, seed: int, path: Path) -> None:
    import torch

    from pixelbench.evaluation.grids import grid_png
    from pixelbench.experiments.stored import load_run
    from pixelbench.store.atomic import write_bytes

    model = load_run(run.folder)
    if method is Method.cached and model.sees_ahead:
        raise UserError(f"{run.variant} is not causal: it sees what it predicts, so only --method naive can draw from it.")
    generator = torch.Generator().manual_seed(seed)
    tempered = f", temperature {temperature:g}" if temperature != 1 else ""
    label = f"{run.variant}{' (not causal)' if run.leaky else ''}, seed {seed}{tempered}"
    if complete is None:
        blocks = [(label, model.sample(n, generator=generator, temperature=temperature, method=method.value).numpy())]
    else:
        given, known = _held(run, n, complete)
        images = model.sample(generator=generator, given=given, known=known, temperature=temperature, method=method.value)
        blocks = [("test images", given.numpy()), ("what is held", (given * known).numpy()), (f"completed by {label}", images.numpy())]
    write_bytes(path, grid_png(blocks, run.record["task"]["levels"]))


def _held(run: "Run", n: int, fraction: float):
    """Test images (n, C, H, W) and a mask that is True in their upper rows: at least one, and one is left to draw."""
    import torch

    from pixelbench.data import get_task

    test = get_task(run.task).load().test.images
    if n > len(test):
        raise UserError(f"Task {run.task} has {len(test)} test images to complete; ask for at most so many with --n.")
    given = torch.from_numpy(test[:n])
    rows = min(max(1, round(fraction * given.shape[2])), given.shape[2] - 1)
    known = torch.zeros_like(given, dtype=torch.bool)
    known[:, :, :rows] = True
    return given, known
