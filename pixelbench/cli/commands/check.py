"""`pixelbench check TARGET`."""

import contextlib
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments import completing
from pixelbench.cli.arguments.options import DeviceOption, JsonOption, check_place, check_seed
from pixelbench.cli.encodings import spell_out
from pixelbench.cli.faults import DISK, fault_sentence, show_if_debugging
from pixelbench.cli.output import FAILED, FINE, WRONG_USE, print_json, say, stderr, stdout
from pixelbench.errors import UserError
from pixelbench.experiments.foreign.checking import Answer, CheckRequest, answers, refuse_meaningless
from pixelbench.experiments.foreign.parsing import parse_size
from pixelbench.importing import with_one_colon

if TYPE_CHECKING:
    from pixelbench.causality.report import CausalityReport

_EXAMPLES = """Example: pixelbench check gated-pixelcnn --set layers=4

Example: pixelbench check my_model.py:make_model --shape 3,8,7 --output "b (k c) h w"

Example: pixelbench check my_package.models:Net --shape 1,28,28 --levels 2 --mode both --after-step --json"""

#: Verdicts on scores and draws that are no failure.
_OF_FINDINGS = {"normalised": FINE, "agrees": FINE, "undecided": WRONG_USE}
#: Lines of what a module printed that are shown.
_PRINTED = 20


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
    str,
    typer.Argument(
        metavar="TARGET",
        help="A family (`pixelbench list models`), path/file.py:name, or package.module:name.",
        autocompletion=completing.targets,
    ),
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
InputLayoutOption = Annotated[
    str | None,
    typer.Option("--input-layout", metavar="PATTERN", help='Layout of what enters, such as "b (h w)"; found out where one fits.'),
]
HeadOption = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="HEAD",
        help="How the output gives conditional distributions, which are then certified: "
        "logistic-mixture[:M], categorical, bernoulli, gaussian, FILE:function.",
    ),
]
ArgOption = Annotated[
    list[str] | None, typer.Option("--arg", metavar="NAME=NUMBER", help="A further argument of the call, such as labels=0; repeatable.")
]
BasesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--bases", metavar="KIND", help="Images on which inputs are changed, may be given again: zeros, maximum, random, joint, extremes."
    ),
]
ImagesOption = Annotated[
    str | None,
    typer.Option(
        "--images", metavar="TASK|FOLDER", help="Changes inputs on images of a task or folder as well.", autocompletion=completing.tasks
    ),
]
OrderOption = Annotated[
    str,
    typer.Option("--order", metavar="raster|any|FILE", help="Order of drawing in which it may be causal; a file lists places."),
]
SamplerOption = Annotated[
    str | None,
    typer.Option(
        "--sampler",
        metavar="NAME",
        help="Instead: does this method, or FILE:function of module and number, draw from the module's own probabilities? On a tiny shape.",
    ),
]
PlotOption = Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Draws the dependence map as .png or .svg.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
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
    input_layout: InputLayoutOption = None,
    head: HeadOption = None,
    args: ArgOption = None,
    bases: BasesOption = None,
    images: ImagesOption = None,
    order: OrderOption = "raster",
    allow_state: Annotated[bool, typer.Option("--allow-state", help="Accepts outputs that depend on images of former calls.")] = False,
    mode: Annotated[Mode, typer.Option("--mode", help="Checked in evaluation mode, in training mode, or in both.")] = Mode.eval,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", metavar="S", help="Ends within this time; says how much was checked. What hangs is ended 5 s later."),
    ] = None,
    after_step: Annotated[bool, typer.Option("--after-step", help="Checks again after one training step on random images.")] = False,
    sums_to_one: Annotated[
        bool, typer.Option("--sums-to-one", help="Instead: do the probabilities of all images of a tiny shape, by log_prob, sum to 1?")
    ] = False,
    sampler: SamplerOption = None,
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="With --sums-to-one and --sampler: the method that scores images.")
    ] = "log_prob",
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="The most that TARGET's process may take, such as 4GiB or 500MiB.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A blind spot or missing colour conditioning fails too.")] = False,
    plot: PlotOption = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, callback=check_seed, help="Seed of new weights, of the images and of random layers.")
    ] = 0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> int:
    """Is a module causal? Changes every input and watches which outputs move.

    A module of your own is executed: its file is imported and its code run, with your rights, in a process of its own on this machine. That
    is no sandbox: check only code that you would run. What it prints is shown only where it could not be checked.

    Exit code 0: no leak found; 1: a leak, or outputs that depend on former calls (with --strict also missing context); 2: it could not be
    checked, or nothing can be concluded.
    """
    began = time.monotonic()
    spell_out(as_json=as_json)
    try:
        given = {"shape": shape, "levels": levels, "input": input.value, "output": output, "select": select, "mode": mode.value}
        given |= {
            "seconds": seconds,
            "after_step": after_step,
            "sums_to_one": sums_to_one,
            "sampler": sampler,
            "seed": seed,
            "device": device,
        }
        given |= {"method": method, "input_layout": input_layout, "head": head, "images": images, "order": order}
        given |= {"allow_state": allow_state, "args": tuple(args or ()), "bases": tuple(bases or ())}
        request = CheckRequest(with_one_colon(target), tuple(settings or ()), memory=parse_size(memory), **given)
        refuse_meaningless(request)
        if sums_to_one or sampler is not None:
            _refuse_beside(
                "--sums-to-one" if sums_to_one else "--sampler", strict=strict, plot=plot, seconds=seconds if sums_to_one else None
            )
        if plot is not None:
            _require_picture(plot)
        return _concluded(_collected(request, began), strict=strict, plot=plot, as_json=as_json)
    except UserError as error:
        if not as_json:
            raise
        sentence = str(error)
    except Exception as error:
        if _is_of_the_disk(error):
            raise
        show_if_debugging(error)
        sentence = fault_sentence(error)
    if as_json:
        print_json({"schema": 1, "error": sentence})
    else:
        sys.stderr.write(sentence + "\n")
    return WRONG_USE


def _collected(request: CheckRequest, began: float) -> list[Answer]:
    """All answers but those that only pass the time: one of our families' from this process, any other module's from one of its own."""
    from pixelbench.experiments.foreign import own_process as foreign
    from pixelbench.models.families import FAMILIES

    spent = time.monotonic() - began
    own = FAMILIES.is_own(request.target) and request.memory is None
    found = []
    with contextlib.ExitStack() as working:
        for answer in answers(request, spent=spent) if own else foreign.answers_from_own_process(request, spent=spent):
            if "doing" in answer:
                working.enter_context(_working(answer["doing"]))
            elif "printed" in answer:
                working.close()
                _show_printed(answer["printed"])
            else:
                found.append(answer)
    return found


def _show_printed(text: str) -> None:
    """The last lines; of a crash without the names of all libraries, which Python lists."""
    lines = [line for line in text.rstrip().splitlines() if not line.startswith("Extension modules: ")]
    say(f"The module printed{' at last' if len(lines) > _PRINTED else ''}:")
    for line in lines[-_PRINTED:]:
        say(f"  {line}")


def _concluded(found: list[Answer], *, strict: bool, plot: Path | None, as_json: bool) -> int:
    """Print the answers, draw the map and return the exit code."""
    if "finding" in found[0]:
        finding = found[0]["finding"]
        if as_json:
            print_json(finding["json"])
        else:
            sys.stdout.write(finding["text"] + "\n")
        return _OF_FINDINGS.get(finding["json"]["verdict"], FAILED)
    from pixelbench.causality.doubts import open_doubts
    from pixelbench.causality.report import CausalityReport

    reports = [CausalityReport.from_json(answer["report"]) for answer in found]
    if plot is not None:
        _draw(reports, plot)
    _print(reports, as_json=as_json)
    if any(report.leaky or report.stateful or (strict and report.blind_spots) for report in reports):
        return FAILED
    return WRONG_USE if any(map(open_doubts, reports, [*reports[1:], None])) else FINE


def _is_of_the_disk(error: Exception) -> bool:
    """A full disk or a pipe that nobody reads, which the command line has an answer to."""
    return isinstance(error, OSError) and (isinstance(error, BrokenPipeError) or error.errno in DISK)


def _refuse_beside(instead: str, **given: Any) -> None:
    """No option is ignored in silence."""
    for name, value in given.items():
        if value:
            raise UserError(f"--{name} has no meaning beside {instead}; leave one of the two out.")


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
    if path.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"--plot '{path}' must end in .png or .svg.")
    check_place(path, "--plot")


def _draw(reports: "list[CausalityReport]", path: Path) -> None:
    """One picture, or one for each report, named after its mode."""
    from pixelbench.causality.render.picture import write_map

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

    from pixelbench.causality.render.text import report_text

    console = stdout()
    for index, report in enumerate(reports):
        text = Text(("\n" if index else "") + report_text(report))
        text.highlight_regex("█+", "green")
        text.highlight_regex("░+", "bright_black")
        text.highlight_regex(r"(?<= |\[)X(?= |\])", "bold red")
        text.highlight_regex(r"^.*Not causal[^:]*:", "bold red")
        text.highlight_regex(r"No leak found", "bold green")
        text.highlight_regex(r"Undecided\.", "bold yellow")
        console.print(text, soft_wrap=True)
