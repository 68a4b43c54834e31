"""`pixelbench decompress FILE`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelbench.cli.options import DEFAULT_RESULTS, JsonOption, ResultsOption
from pixelbench.cli.output import print_json, say
from pixelbench.errors import UserError

_EXAMPLE = "Example: pixelbench decompress images.pbz --results results --out images.npz"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLE)(decompress)


def decompress(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `pixelbench compress` wrote.")],
    out: Annotated[
        Path, typer.Option("--out", help="images.npz, a .png with all of them, or a new folder for one PNG each.", metavar="PATH")
    ],
    results: ResultsOption = DEFAULT_RESULTS,
    as_json: JsonOption = False,
) -> None:
    """Decode images from a file and the weights of the run that it names.

    Its checksum is looked at before anything is decoded, and that of the images before anything is written. In `images.npz` are the levels
    as they are; in a PNG they go from black to white.
    """
    from pixelbench.cli.decoded_images import check_destination, write_images
    from pixelbench.cli.progress import steady
    from pixelbench.experiments.prove.decoding import decode_container, read_container, run_of

    contents = read_container(file)
    header = contents.header
    check_destination(out, header)
    run = run_of(header, results)
    with steady(str(file)) as show:
        decoded = decode_container(contents, run, lambda done, total: show("decoding", done, total))
    if not decoded.right:
        raise UserError(_other_images(file, header.torch))
    write_images(out, decoded.images, decoded.labels, header.levels)
    if as_json:
        about = {"run_key": header.run_key, "task": run.record.task.name, "variant": run.record.variant.name}
        print_json({**about, "n": header.n, "shape": header.shape, "levels": header.levels, "path": out})
    else:
        say(f"Images: {out}")


def _other_images(file: Path, coded_by: str) -> str:
    from importlib.metadata import version

    said = f"'{file}' is whole, but decodes to other images than were coded"
    if (present := version("torch")) != coded_by:
        return f"{said}: it was coded with torch {coded_by}, and torch {present} rounds otherwise; decode it with the same version."
    return f"{said}: the code or the processor rounds otherwise than the one that coded it; decode it where it was coded."
