"""Where decoded images go: an array, one picture, or a folder of pictures; whole, or not at all."""

import io
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelbench.errors import UserError
from pixelbench.files.atomic import write_bytes

if TYPE_CHECKING:
    from pixelbench.coding.container import Header

#: Of a PNG; what has more, or neither 1 nor 3 channels, goes into an array.
_MOST_LEVELS = 256


def check_destination(out: Path, header: "Header") -> None:
    """Whether the images can go there, before anything is decoded.

    Raises:
        UserError: no such folder, a folder with something in it, or images that no PNG holds.
    """
    if out.suffix not in (".npz", ".png", ""):
        raise UserError(f"--out '{out}' must end in .npz or .png, or be the name of a folder.")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out '{out}' must be in a folder that exists.")
    if out.is_dir() and (out.suffix or any(out.iterdir())):
        raise UserError(f"--out '{out}' is a folder {'already' if out.suffix else 'with files in it'}; name another.")
    if not out.suffix and out.exists() and not out.is_dir():
        raise UserError(f"--out '{out}' is a file; name a new folder, or a file that ends in .npz or .png.")
    if out.suffix != ".npz" and (header.shape[0] not in (1, 3) or header.levels > _MOST_LEVELS):
        raise UserError(f"A PNG holds 1 or 3 channels of at most {_MOST_LEVELS} levels, which these images have not; use --out images.npz.")


def write_images(out: Path, images: np.ndarray, labels: np.ndarray | None, levels: int) -> None:
    """Write images (n, C, H, W) where `check_destination` found a place for them."""
    if out.suffix == ".npz":
        write_bytes(out, _arrays(images, labels))
    elif out.suffix == ".png":
        from pixelbench.evaluation.grids import grid_png

        write_bytes(out, grid_png([("decoded test images", images)], levels))
    else:
        _write_folder(out, images, levels)


def _arrays(images: np.ndarray, labels: np.ndarray | None) -> bytes:
    file = io.BytesIO()
    arrays: dict[str, Any] = {"images": images} if labels is None else {"images": images, "labels": labels}
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _write_folder(out: Path, images: np.ndarray, levels: int) -> None:
    """One PNG an image, in a folder beside that takes the name once it is full."""
    from PIL import Image

    temporary = out.absolute().with_name(f".{out.name}.{secrets.token_hex(6)}.tmp")
    temporary.mkdir()
    try:
        shown = np.round(images.astype(np.float64) * (255 / (levels - 1))).astype(np.uint8).transpose(0, 2, 3, 1)
        digits = len(str(len(shown) - 1))
        for index, image in enumerate(shown):
            picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
            picture.save(temporary / f"{index:0{digits}}.png", optimize=True)
        if out.is_dir():
            out.rmdir()
        os.replace(temporary, out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
