"""Decodes a file in a process that has never seen the images: it is given the file and where the model is, and gives back an array."""

import contextlib
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelbench.coding.images import Progress
from pixelbench.errors import UserError
from pixelbench.experiments.process import answering, answers_of
from pixelbench.experiments.prove.decoding import decode_container, read_container
from pixelbench.experiments.prove.sources import Source, source_of

#: Between two signs of progress.
_SECONDS = 0.2


@dataclass(frozen=True)
class FreshlyDecoded:
    """Images (n, C, H, W) from another process. `right`: by their checksum, which is of labels too. `seconds`: without its start."""

    images: np.ndarray
    right: bool
    seconds: float


def decode_afresh(blob: bytes, source: Source, progress: Progress) -> FreshlyDecoded:
    """Decode a file's bytes with the weights of a source, in a process of its own.

    Raises:
        UserError: it could not; the sentence says why.
    """
    with tempfile.TemporaryDirectory(prefix="pixelbench-") as place:
        file, where, out = Path(place, "images.pbz"), Path(place, "source.json"), Path(place, "images.npz")
        file.write_bytes(blob)
        where.write_text(json.dumps(source.to_json()))
        answer = _answer([str(file), str(where), str(out)], progress)
        with np.load(out) as arrays:
            return FreshlyDecoded(arrays["images"], answer["right"], answer["seconds"])


def main(file: str, source: str, out: str) -> None:
    """The other process: writes the images to `out`, and a line of JSON for each sign of progress and for the end."""
    tell, spoke = answering(), 0.0

    def progress(done: int, total: int) -> None:
        nonlocal spoke
        if time.monotonic() - spoke >= _SECONDS:
            spoke = time.monotonic()
            tell({"done": done, "total": total})

    try:
        model = source_of(json.loads(Path(source).read_text()))
        began = time.monotonic()
        decoded = decode_container(read_container(Path(file)), model, progress)
    except UserError as error:
        tell({"error": str(error)})
        return
    seconds = time.monotonic() - began
    np.savez(out, images=decoded.images)
    tell({"right": decoded.right, "seconds": seconds})


def _answer(arguments: list[str], progress: Progress) -> dict[str, Any]:
    """What the process says at its end; its progress is passed on, and it ends whatever happens here."""
    with contextlib.closing(answers_of(__name__, arguments, "decodes the images")) as answers:
        for found in answers:
            if "error" in found:
                raise UserError(found["error"])
            if "right" in found:
                return found
            progress(found["done"], found["total"])
    raise AssertionError("answers end by a result or an error")
