"""`pixelbench check TARGET`."""

import contextlib
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.options import DeviceOption, JsonOption
from pixelbench.cli.output import FAILED, FINE, WRONG_USE, print_json, say, stderr, stdout
from pixelbench.errors import UserError, first_line

if TYPE_CHECKING:
    from pixelbench.causality.report import CausalityReport
    from pixelbench.experiments.targets import Target

_EXAMPLES = """Example: pixelbench check gated-pixelcnn --set layers=4

Example: pixelbench check my_model.py:make_model --shape 3,8,7 --output "b (k c) h w"

Example: pixelbench check my_package.models:Net --shape 1,28,28 --levels 2 --mode both --after-step --json"""

#: Seconds for starting Python, for the conclusions from a large map, and for a picture.
_WRAP_UP = 3.0


class Mode(StrEnum):
    """The mode that the module is checked in."""

    eval = "eval"
    train = "train"
    both = "both"


class Input(StrEnum):
    """How images enter the module."""

    auto = "auto"
    unit = "unit"
    symmetric = "symmetric"
    int = "int"


TargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="A family (`pixelbench list models`), path/file.py:name, or package.module:name.")
]
ShapeOption = Annotated[str | None, typer.Option("--shape", metavar="C,H,W", help="Images to check on; a family has a default.")]
LevelsOption = Annotated[int | None, typer.Option("--levels", min=2, metavar="N", help="Values of a sub-pixel; 256 by default.")]
OutputOption = Annotated[
    str | None,
    typer.Option("--output", metavar="PATTERN", help='Layout of the output, such as "b (k c) h w"; found out where only one fits.'),
]
SelectOption = Annotated[
    str | None, typer.Option("--select", metavar="PART", help="Which part of a tuple or dict is the output: 0, logits, 0.logits.")
]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the family; may be given again.")]
PlotOption = Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Draws the dependence map as .png or .svg.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=_EXAMPLES)(check)


def check(
    target: TargetArgument,
    shape: ShapeOption = None,
    levels: LevelsOption = None,
    input: Annotated[
        Input, typer.Option("--input", help="Floats in [0, 1] (unit) or [-1, 1] (symmetric), integers, or what fits (auto).")
    ] = Input.auto,
    output: OutputOption = None,
    select: SelectOption = None,
    settings: SetOption = None,
    mode: Annotated[Mode, typer.Option("--mode", help="Checked in evaluation mode, in training mode, or in both.")] = Mode.eval,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", help="Ends within this time; says how much was checked.")
    ] = None,
    after_step: Annotated[bool, typer.Option("--after-step", help="Checks again after one training step on random images.")] = False,
    sums_to_one: Annotated[
        bool, typer.Option("--sums-to-one", help="Instead: do the probabilities of all images of a tiny shape, by log_prob, sum to 1?")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A blind spot or missing colour conditioning fails too.")] = False,
    plot: PlotOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of new weights, of the images and of random layers.")] = 0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> int:
    """Is a module causal? Changes every input and watches which outputs move.

    Exit code 0: no leak found; 1: a leak (with --strict also missing context); 2: it could not be checked.
    """
    began = time.monotonic()
    options = {"input": input.value, "output": output, "select": select, "seed": seed}
    try:
        if sums_to_one:
            given = {"mode": mode is not Mode.eval, "after-step": after_step, "seconds": seconds, "strict": strict, "plot": plot}
            _refuse_beside_sums({**given, "output": output, "select": select})
            return _sums_to_one(target, settings or [], shape, levels, options, device, as_json)
        if plot is not None:
            _require_picture(plot)
        with _foreign_output():
            found = _load(target, settings or [], shape, levels, device, seed)
            limits = {"mode": mode.value, "after_step": after_step, "seconds": _left(seconds, began)}
            reports = list(_checked(found, {**options, **limits}))
        if plot is not None:
            _draw(reports, plot)
    except UserError as error:
        if not as_json:
            raise
        print_json({"schema": 1, "error": str(error)})
        return WRONG_USE
    _print(reports, as_json=as_json)
    return FAILED if any(report.leaky or (strict and report.blind_spots) for report in reports) else FINE


def _left(seconds: float | None, began: float) -> float | None:
    """Of the time asked for, what loading torch and the module has left, less what concluding and printing will take."""
    if seconds is None or not seconds > 0:  # which the check refuses
        return seconds
    return max(seconds - (time.monotonic() - began) - min(_WRAP_UP, seconds / 10), 1e-3)


def _load(target: str, settings: list[str], shape: str | None, levels: int | None, device: str, seed: int) -> "Target":
    """The same weights each time, so that the same command gives the same report."""
    from torch import device as torch_device

    from pixelbench.causality.sandbox import random_states
    from pixelbench.experiments.devices import resolve_device
    from pixelbench.experiments.targets import load_target, parse_shape

    chosen = resolve_device(device)
    with random_states(torch_device("cpu"), seed):
        found = load_target(target, settings, parse_shape(shape), levels)
    try:
        found.module.to(chosen)
    except RuntimeError as error:  # no memory there, or weights without values
        raise UserError(f"{found.name} cannot be moved to {chosen}: {first_line(error)}.") from error
    return found


def _checked(found: "Target", options: dict[str, Any]) -> "Iterator[CausalityReport]":
    from pixelbench.causality.certificates import certificates

    with _working(f"Checking {found.name} on {'x'.join(map(str, found.shape))} images"):
        yield from certificates(found.module, found.shape, levels=found.levels, target=found.name, **options)


def _sums_to_one(
    target: str, settings: list[str], shape: str | None, levels: int | None, options: dict[str, Any], device: str, as_json: bool
) -> int:
    from pixelbench.causality.likelihood import TINY_LEVELS, TINY_SHAPE, check_log_prob

    shape = shape or ",".join(map(str, TINY_SHAPE))
    with _foreign_output():
        found = _load(target, settings, shape, levels or TINY_LEVELS, device, options["seed"])
        with _working(f"Scoring all images of {'x'.join(map(str, found.shape))}"):
            report = check_log_prob(
                found.module, found.shape, levels=found.levels, input=options["input"], seed=options["seed"], target=found.name
            )
    if as_json:
        print_json(report.to_json())
    else:
        sys.stdout.write(report.text() + "\n")
    return FINE if report.normalised else FAILED


def _refuse_beside_sums(given: dict[str, Any]) -> None:
    """No option is ignored in silence."""
    for name, value in given.items():
        if value:
            raise UserError(f"--{name} has no meaning beside --sums-to-one, which looks at log_prob alone; leave one of the two out.")


@contextlib.contextmanager
def _foreign_output() -> Iterator[None]:
    """What a foreign module prints must not mix with the report."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def _working(text: str) -> Iterator[None]:
    """A spinner on a terminal, a line elsewhere."""
    console = stderr()
    if not console.is_terminal:
        say(f"{text} …")
        yield
        return
    with console.status(f"{text} …"):
        yield


def _require_picture(path: Path) -> None:
    if path.suffix.lower() not in (".png", ".svg") or not path.parent.is_dir() or path.is_dir():
        raise UserError(f"--plot '{path}' must be a .png or .svg file in a folder that exists.")


def _draw(reports: "list[CausalityReport]", path: Path) -> None:
    """One picture, or one for each report, named after its mode."""
    from pixelbench.causality.picture import write_map

    for report in reports:
        step = "-after-step" if report.after_step else ""
        to = path if len(reports) == 1 else path.with_name(f"{path.stem}-{report.mode}{step}{path.suffix}")
        write_map(report, to)
        say(f"Map: {to}")


def _print(reports: "list[CausalityReport]", *, as_json: bool) -> None:
    if as_json:
        documents = [report.to_json() for report in reports]
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    from rich.text import Text

    from pixelbench.causality.text import report_text

    console = stdout()
    for index, report in enumerate(reports):
        text = Text(("\n" if index else "") + report_text(report))
        text.highlight_regex("█+", "green")
        text.highlight_regex("░+", "bright_black")
        text.highlight_regex(r"(?<= |\[)X(?= |\])", "bold red")
        text.highlight_regex(r"^.*Not causal:", "bold red")
        text.highlight_regex(r"No leak found", "bold green")
        console.print(text, soft_wrap=True)
