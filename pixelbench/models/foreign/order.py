"""An order of drawing in a file."""

import json
from pathlib import Path

from pixelbench.errors import UserError, first_line


def read_order(path: Path, option: str) -> list[int]:
    """The raster places that a file lists, in the order of drawing: a JSON list, or numbers between spaces or commas.

    Args:
        path: the file.
        option: what names it, for messages.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    if not path.is_file():
        raise UserError(f"{option}: there is no file '{path}', which would list the raster places in the order of drawing.")
    try:
        content = path.read_text(encoding="utf-8")
        listed = json.loads(content) if content.lstrip().startswith("[") else content.replace(",", " ").split()
        return [int(place) for place in listed]
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{option}: '{path}' is no list of raster places: {first_line(error)}.") from error
