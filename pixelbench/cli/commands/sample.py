"""`pixelbench sample RUN`."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments.options import DEFAULT_RESULTS, DataOption, JsonOption, ResultsOption, RunArgument, check_place, check_seed
from pixelbench.cli.output import print_json, say
from pixelbench.cli.stored_runs import advising, find_run
from pixelbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from pixelbench.models.base import AutoregressiveModel
    from pixelbench.store.cells import Run


_EXAMPLES = """Example: pixelbench sample photos/gated-pixelcnn -n 16 --complete 0.5 --out completed.png

Example: pixelbench sample digits/gated-class -n 8 --class all

Example: pixelbench sample digits/gated-pixelcnn -n 10000 --out samples.npz"""
#: Images that one picture shows, and that are drawn at once; and that an animation shows.
_MOST_SHOWN, _MOST_ANIMATED = 1024, 64
_ARRAYS, _ANIMATED = ".npz", ".webp"


class SamplingMethod(StrEnum):
    """How images are drawn; the same images come out."""

    auto = "auto"
    cached = "cached"
    naive = "naive"


@dataclass(frozen=True)
class Classes:
    """The class of each image, how the picture says it, and its layout where every class has a row."""

    of_images: list[int]
    said: str
    columns: int | None = None
    rows: Sequence[str] = ()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(sample)


def sample(
    run: RunArgument,
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=100_000, help="How many images; with --class all, of each class.")] = 16,
    chosen: Annotated[
        str | None,
        typer.Option("--class", help="The class to draw, such as 3, or all: a row each; by default classes in turn.", metavar="CLASS"),
    ] = None,
    temperature: Annotated[float, typer.Option("--temperature", help="Above 0; 1 is the model itself, less is tamer.")] = 1.0,
    complete: Annotated[
        float | None, typer.Option("--complete", help="Holds this fraction of test images from the top and draws the rest.")
    ] = None,
    method: Annotated[
        SamplingMethod, typer.Option("--method", help="cached is fast, naive the slow reference; same images.")
    ] = SamplingMethod.auto,
    seed: Annotated[int, typer.Option("--seed", min=0, callback=check_seed, help="Another seed, other images.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="A PNG, or an .npz of the values; else named after run and seed.", metavar="FILE")
    ] = None,
    animate: Annotated[
        bool, typer.Option("--animate", help="Also an animated WebP beside it that shows them being drawn, pixel after pixel.")
    ] = False,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw new images from a stored run's model: a labelled PNG, or of more than 1,024 their values in an .npz."""
    from pixelbench.data.folder import use_data_folder
    from pixelbench.reports.escape import file_name

    use_data_folder(data)
    if not temperature > 0 or temperature == float("inf"):
        raise UserError(f"--temperature must be above 0, such as 0.9; got {temperature:g}.")
    if complete is not None and not 0 < complete < 1:
        raise UserError(f"--complete is the fraction of an image that is held, between 0 and 1, such as 0.5; got {complete:g}.")
    found = find_run(results, run)
    suffix = _ARRAYS if n > _MOST_SHOWN else ".png"
    path = out or Path(f"{file_name(found.task)}-{file_name(found.variant)}-{found.key[:6]}-seed{seed}{suffix}")
    if n > _MOST_SHOWN and path.suffix != _ARRAYS:
        raise UserError(f"A picture shows at most {_MOST_SHOWN:,} images; for {n:,} name an {_ARRAYS} with --out, or leave it out.")
    check_place(path, "--out")
    classes = _classes(found, chosen, n)
    animation = path.with_suffix(_ANIMATED) if animate else None
    if animate and (count := n if classes is None else len(classes.of_images)) > _MOST_ANIMATED:
        raise UserError(f"--animate shows at most {_MOST_ANIMATED} images, and these are {count:,}; ask for fewer with --n.")
    if animation == path:
        raise UserError(f"--out '{path}' is where the animation goes; name a PNG, or an {_ARRAYS}.")
    with advising(found, results):
        drawn = _draw(found, classes, n, temperature, complete, method, seed, path, animation)
    if as_json:
        about = {"run_key": found.key, "task": found.task, "variant": found.variant, "class": chosen, "causal": not found.leaky}
        print_json({**about, "n": drawn, "path": path, "animation": animation})
    else:
        say(f"Samples: {path}{f' and {animation}' if animation else ''}")


def _classes(run: "Run", chosen: str | None, n: int) -> "Classes | None":
    """Which class each image has; None for a model without classes.

    Raises:
        UserError: a class for a model without, or one that there is not.
    """
    count = run.record.variant.classes
    if not count:
        if chosen is not None:
            raise UserError(f"{run.variant} has no classes to choose from; leave --class out.")
        return None
    if chosen is None:
        return Classes([i % count for i in range(n)], f"classes 0 to {min(n, count) - 1} in turn")
    if chosen == "all":
        return Classes([c for c in range(count) for _ in range(n)], "a row a class", n, [str(c) for c in range(count)])
    if not chosen.isdecimal() or int(chosen) >= count:
        raise UserError(f"{run.variant} has classes 0 to {count - 1}; --class takes one of them, or all; got '{chosen}'.")
    return Classes([int(chosen)] * n, f"class {int(chosen)}")


def _draw(
    run: "Run",
    classes: "Classes | None",
    n: int,
    temperature: float,
    complete: float | None,
    method: SamplingMethod,
    seed: int,
    path: Path,
    animation: Path | None,
) -> int:
    """Write the picture, or the arrays, and the animation; returns how many images were drawn."""
    import torch

    from pixelbench.evaluation.animation import drawing_webp
    from pixelbench.evaluation.grids import grid_png
    from pixelbench.evaluation.sheets import as_shares
    from pixelbench.files.atomic import write_bytes

    model = _model(run, method)
    tempered = f", temperature {temperature:g}" if temperature != 1 else ""
    of_class = f", {classes.said}" if classes else ""
    label = f"{run.variant}{' (not causal)' if run.leaky else ''}{of_class}, seed {seed}{tempered}"
    n = n if classes is None else len(classes.of_images)
    how = {"generator": torch.Generator().manual_seed(seed), "temperature": temperature, "method": method.value}
    given, known = (None, None) if complete is None else _held(run, classes, n, complete)
    images = _drawn(model, n, classes, given, known, how)
    if animation:
        held = None if known is None else known.numpy()
        shares = as_shares(images, run.record.task.levels)
        write_bytes(animation, drawing_webp(shares, tuple(model.order()), held, None if classes is None else classes.columns))
    if path.suffix == _ARRAYS:
        write_bytes(path, _arrays(run, images, classes, known, seed, temperature))
        return n
    if given is None or known is None:
        blocks = [(label, images)]
    else:
        by = "approximately completed by" if model.completion == "approximate" else "completed by"
        blocks = [("test images", given.numpy()), ("what is held", (given * known).numpy()), (f"{by} {label}", images)]
    columns, rows = (None, ()) if classes is None else (classes.columns, classes.rows)
    write_bytes(path, grid_png(blocks, run.record.task.levels, columns, rows))
    return n


def _model(run: "Run", method: SamplingMethod) -> "AutoregressiveModel":
    """The run's model.

    Raises:
        UserError: it cannot be drawn from in that way.
    """
    from pixelbench.experiments.stored import load_run

    model = load_run(run.stored)
    if method is SamplingMethod.cached and model.leaks_by_design:
        raise UserError(f"{run.variant} is not causal: it sees what it predicts, so only --method naive can draw from it.")
    if method is SamplingMethod.cached and not model.incremental:
        raise UserError(f"{run.variant} has no incremental mode, so only --method naive can draw from it.")
    return model


def _drawn(
    model: "AutoregressiveModel",
    n: int,
    classes: "Classes | None",
    given: "Tensor | None",
    known: "Tensor | None",
    how: dict[str, Any],
) -> "np.ndarray":
    """Images (n, C, H, W), so many at a time that they fit into memory; the first ones are those of a drawing of fewer."""
    import numpy as np
    import torch

    from pixelbench.cli.progress import steady

    held = {"condition": None if classes is None else torch.tensor(classes.of_images), "given": given, "known": known}
    parts = []
    with steady("sample") as show:
        for begin in range(0, n, _MOST_SHOWN):
            some = slice(begin, min(n, begin + _MOST_SHOWN))
            show("drawing", begin, n)
            of_these = {name: None if one is None else one[some] for name, one in held.items()}
            parts.append(model.sample(some.stop - some.start, **of_these, **how).numpy())
    return np.concatenate(parts)


def _arrays(run: "Run", images: "np.ndarray", classes: "Classes | None", known: "Tensor | None", seed: int, temperature: float) -> bytes:
    """An .npz without pickles: `images` (n, C, H, W) integers 0 … levels-1, `labels` (n,) of a model with classes, `known` of a completion,
    and where they come from."""
    import io

    import numpy as np

    about: dict[str, Any] = {"run_key": run.key, "levels": run.record.task.levels, "seed": seed, "temperature": temperature}
    about |= {} if classes is None else {"labels": np.array(classes.of_images)}
    about |= {} if known is None else {"known": known.numpy()}
    blob = io.BytesIO()
    np.savez_compressed(blob, images=images, **about)
    return blob.getvalue()


def _held(run: "Run", classes: "Classes | None", n: int, fraction: float):
    """Test images (n, C, H, W), of their classes, and a mask that is True in their upper rows: at least one, and one is left to draw."""
    import numpy as np
    import torch

    from pixelbench.data import get_task

    test = get_task(run.task).load().test
    where = np.arange(len(test))[:n]
    if classes is not None and test.labels is not None:
        turn = {c: iter(np.flatnonzero(test.labels == c)) for c in set(classes.of_images)}
        where = np.array([i for c in classes.of_images if (i := next(turn[c], None)) is not None])
    if len(where) < n:
        few = f"{len(test)} test images" if classes is None else "too few test images of some class"
        raise UserError(f"Task {run.task} has {few} to complete; ask for fewer with --n.")
    given = torch.from_numpy(test.images[where])
    rows = min(max(1, round(fraction * given.shape[2])), given.shape[2] - 1)
    known = torch.zeros_like(given, dtype=torch.bool)
    known[:, :, :rows] = True
    return given, known
