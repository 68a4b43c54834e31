"""`pixelbench decompress FILE`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments.given_model import (
    ConditionOption,
    InputOption,
    ModuleHeadOption,
    OrderFileOption,
    ReadingOptions,
    WeightsOption,
    given_model,
)
from pixelbench.cli.arguments.options import DEFAULT_RESULTS, JsonOption, ResultsOption
from pixelbench.cli.commands.check import ArgOption, Input, InputLayoutOption, OutputOption, SelectOption, SetOption
from pixelbench.cli.output import print_json, say
from pixelbench.errors import UserError

if TYPE_CHECKING:
    from pixelbench.coding.container import Header
    from pixelbench.experiments.prove.sources import Source

_EXAMPLES = """Example: pixelbench decompress images.pbz --results results --out images.npz

Example: pixelbench decompress images.pbz --target my_net.py:MyNet --weights best.safetensors --out images.npz"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(decompress)


def decompress(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `pixelbench compress` wrote.")],
    out: Annotated[
        Path, typer.Option("--out", help="images.npz, a .png with all of them, or a new folder for one PNG each.", metavar="PATH")
    ],
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="TARGET", help="The model of a file that no run coded, with the options it was coded with."),
    ] = None,
    weights: WeightsOption = None,
    settings: SetOption = None,
    head: ModuleHeadOption = None,
    input: InputOption = Input.auto,
    output: OutputOption = None,
    select: SelectOption = None,
    input_layout: InputLayoutOption = None,
    args: ArgOption = None,
    order: OrderFileOption = None,
    condition: ConditionOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    as_json: JsonOption = False,
) -> None:
    """Decode images from a file and the weights of the run that it names, or of a TARGET.

    Its checksum is looked at before anything is decoded, and that of the images before anything is written. In `images.npz` are the levels
    as they are; in a PNG they go from black to white.
    """
    from pixelbench.cli.decoded_images import check_destination, write_images
    from pixelbench.cli.progress import steady
    from pixelbench.experiments.prove.decoding import decode_container, read_container

    contents = read_container(file)
    header = contents.header
    check_destination(out, header)
    reading = ReadingOptions(head, input, output, select, input_layout, args, order, condition)
    source, about = _source(header, target, weights, settings, reading, results)
    with steady(str(file)) as show:
        decoded = decode_container(contents, source, lambda done, total: show("decoding", done, total))
    if not decoded.right:
        raise UserError(_other_images(file, header.torch))
    write_images(out, decoded.images, decoded.labels, header.levels)
    if as_json:
        print_json({**about, "n": header.n, "shape": header.shape, "levels": header.levels, "path": out})
    else:
        say(f"Images: {out}")


def _source(
    header: "Header", target: str | None, weights: Path | None, settings: list[str] | None, reading: ReadingOptions, results: Path
) -> "tuple[Source, dict[str, Any]]":
    """Where the model is, and what it is called in a document."""
    from pixelbench.experiments.prove.decoding import run_of
    from pixelbench.experiments.prove.sources import GivenSource, RunSource

    if target is None:
        if weights is not None or settings or reading.given:
            raise UserError("--weights, --set, --head and the like are of a --target; a file that a run coded needs none of them.")
        run = run_of(header, results)
        return RunSource(run), {"run_key": header.run_key, "task": run.record.task.name, "variant": run.record.variant.name}
    if header.run_key:
        raise UserError(f"The images were coded by run {header.run_key}; leave --target out and name its folder with --results DIR.")
    given = given_model(target, header.shape, header.levels, header.classes, weights=weights, settings=settings, reading=reading)
    return GivenSource(given), {"target": given.target}


def _other_images(file: Path, coded_by: str) -> str:
    from importlib.metadata import version

    said = f"'{file}' is whole, but decodes to other images than were coded"
    if (present := version("torch")) != coded_by:
        return f"{said}: it was coded with torch {coded_by}, and torch {present} rounds otherwise; decode it with the same version."
    return f"{said}: the code or the processor rounds otherwise than the one that coded it; decode it where it was coded."
