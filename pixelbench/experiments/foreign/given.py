"""Options of a check as they are written on the command line → what `check_causality` takes: numbers, images, an order of drawing."""

from pathlib import Path
from typing import Any

import numpy as np

from pixelbench.errors import UserError, first_line
from pixelbench.experiments.foreign.checking import CheckRequest
from pixelbench.models.foreign.order import read_order

#: As many images of a task or folder are read.
_IMAGES = 32
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".npy")


def given_options(request: CheckRequest, shape: tuple[int, int, int], levels: int) -> dict[str, Any]:
    """Keyword arguments of `check_causality`, mode and limits apart.

    Raises:
        UserError: a number, a file, a task or an image cannot be read, or does not fit the shape.
    """
    options: dict[str, Any] = {"input": request.input, "output": request.output, "select": request.select, "seed": request.seed}
    options |= {"input_layout": request.input_layout, "head": request.head, "allow_state": request.allow_state}
    options |= {"args": dict(map(argument, request.args)), "order": _order(request.order)}
    if request.bases:
        options["bases"] = request.bases
    if request.images is not None:
        options["images"] = _images(request.images, shape, levels)
    return options


def argument(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        if name.isidentifier() and equals:
            return name, float(value)
    except ValueError:
        pass
    raise UserError(f"--arg takes NAME=NUMBER, for example --arg labels=0; got '{text}'.")


def _order(text: str) -> str | list[int]:
    """`raster`, `any`, or the raster places that a file lists."""
    if text in ("raster", "any"):
        return text
    return read_order(Path(text), "--order is raster, any, or a file")


def _images(text: str, shape: tuple[int, int, int], levels: int) -> np.ndarray:
    """(N, C, H, W): pictures of a folder, or the first training images of a task, cut to the shape and brought to the levels."""
    found, top = _of_folder(Path(text)) if Path(text).is_dir() else _of_task(text)
    channels, height, width = shape
    fitting = [_fitted(image, channels, height, width) for image in found]
    images = np.stack([np.asarray(image, dtype=np.int64) for image in fitting])
    return images if top == levels - 1 else (images * levels // (top + 1)).clip(0, levels - 1)


def _of_task(name: str) -> tuple[list[np.ndarray], int]:
    from pixelbench.data.registry import get_task

    try:
        task = get_task(name)
    except UserError as error:
        raise UserError(f"--images takes a folder of images or a task, and there is no such folder. {error}") from None
    images = task.load().train.images[:_IMAGES]
    return [np.asarray(image) for image in images], task.levels - 1


def _of_folder(folder: Path) -> tuple[list[np.ndarray], int]:
    from PIL import Image

    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)[:_IMAGES]
    if not files:
        raise UserError(f"--images '{folder}' has no images ({', '.join(_SUFFIXES)}).")
    found = []
    for file in files:
        try:
            image = np.load(file, allow_pickle=False) if file.suffix == ".npy" else np.asarray(Image.open(file))
        except (OSError, ValueError) as error:
            raise UserError(f"--images: '{file}' cannot be read: {first_line(error)}.") from error
        if image.ndim not in (2, 3) or (file.suffix != ".npy" and image.dtype != np.uint8):
            raise UserError(f"--images: '{file}' is no picture of 8 bits.")
        found.append(image[None] if image.ndim == 2 else image.transpose(2, 0, 1))
    return found, 255


def _fitted(image: np.ndarray, channels: int, height: int, width: int) -> np.ndarray:
    """The part around the middle; grey for one channel, and grey repeated for several."""
    if len(image) != channels:
        image = image[:3].mean(0, keepdims=True).round() if channels == 1 else np.repeat(image[:1], channels, 0)
    top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
    if top < 0 or left < 0:
        raise UserError(f"--images: an image of {image.shape[1]}x{image.shape[2]} is smaller than the {height}x{width} of --shape.")
    return image[:, top : top + height, left : left + width]
