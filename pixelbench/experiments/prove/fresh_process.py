"""Decodes a file in a process that has never seen the images: it is given the file and where the model is, and gives back an array."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelbench.coding.images import Progress
from pixelbench.errors import UserError
from pixelbench.experiments.prove.decoding import decode_container, read_container
from pixelbench.experiments.prove.sources import Source, source_of

_START = "import sys; sys.path[:] = sys.argv[4:]; from pixelbench.experiments.prove.fresh_process import main; main(*sys.argv[1:4])"
#: Between two signs of progress.
_SECONDS = 0.2
#: Lines of what a process printed last that are shown.
_LINES = 5


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
        file, told, out = Path(place, "images.pbz"), Path(place, "source.json"), Path(place, "images.npz")
        file.write_bytes(blob)
        told.write_text(json.dumps(source.to_json()))
        answer = _answer([str(file), str(told), str(out)], Path(place, "log"), progress)
        with np.load(out) as arrays:
            return FreshlyDecoded(arrays["images"], answer["right"], answer["seconds"])


def main(file: str, source: str, out: str) -> None:
    """The other process: writes the images to `out`, and a line of JSON for each sign of progress and for the end."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a module of somebody's prints is no answer
    told = 0.0

    def tell(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    def progress(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _SECONDS:
            told = time.monotonic()
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


def _answer(arguments: list[str], log: Path, progress: Progress) -> dict[str, Any]:
    """Start the process, pass on its progress, and end it whatever happens here."""
    command = [sys.executable, "-P", "-c", _START, *arguments, *(path or os.getcwd() for path in sys.path)]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                found = json.loads(line)
                if "error" in found:
                    raise UserError(found["error"])
                if "right" in found:
                    process.wait()
                    return found
                progress(found["done"], found["total"])
            code = process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    said = " ".join(log.read_text(errors="replace").splitlines()[-_LINES:])
    raise UserError(f"The process that decodes the images ended (exit code {code}){f': {said}' if said else ''}.")
