"""A file of coded images and the run that it is of → the images, from the run's weights alone."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from pixelbench.coding.container import Container, FileFault, Header, images_digest, unpack
from pixelbench.coding.images import Progress, decode, decode_labels, ready
from pixelbench.coding.prediction import Method
from pixelbench.errors import UserError
from pixelbench.experiments.stored import load_run
from pixelbench.store.artifacts import weights_path
from pixelbench.store.scan import StoredRun, require_store, scan


@dataclass(frozen=True)
class Decoded:
    """Images (n, C, H, W) and, of a conditional model, their labels (n,). `right`: their checksum is the one in the file."""

    images: np.ndarray
    labels: np.ndarray | None
    right: bool


def read_container(path: Path) -> Container:
    """The contents of a file, whose checksum was found right.

    Raises:
        UserError: no such file, cut off, or damaged; the sentence names it.
    """
    try:
        return unpack(path.read_bytes())
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({error.strerror}); name a file that `pixelbench compress` wrote.") from None
    except FileFault as fault:
        raise UserError(f"'{path}' {fault}.") from None


def run_of(header: Header, results: Path) -> StoredRun:
    """The stored run whose model coded a file.

    Raises:
        UserError: it is not in `results`.
    """
    found = scan(require_store(results))
    if header.run_key not in found:
        said = f"The images were coded by run {header.run_key}, which is not in '{results}'"
        raise UserError(f"{said}; name the folder that holds it with --results DIR.")
    return found.examine([header.run_key])[header.run_key]


def decode_container(file: Container, run: StoredRun, progress: Progress = lambda done, total: None) -> Decoded:
    """Decode with the run's weights, in batches and threads of the encoder.

    Raises:
        UserError: no weights, or not those by which the images were coded.
    """
    header, record = file.header, run.record
    name = f"{record.task.name}/{record.variant.name}"
    model = load_run(run)
    if (header.shape, header.levels) != (record.task.shape, record.task.levels):
        size = f"{'x'.join(map(str, header.shape))} with {header.levels} levels"
        raise UserError(f"The file holds images of {size}, which {name} is not of.")
    if header.weights != weights_digest(run.folder):
        raise UserError(f"The images were coded with other weights of {name} than those in '{run.folder}' (their SHA-256 differ).")
    labels = decode_labels(file.labels, header.n, header.classes) if header.classes else None
    with torch_threads(header.threads):
        images = decode(
            ready(model),
            file.images,
            header.n,
            None if labels is None else torch.from_numpy(labels),
            method=cast(Method, header.method),
            batch=header.batch,
            progress=progress,
        )
    return Decoded(images, labels, images_digest(images, labels) == header.images)


def weights_digest(folder: Path) -> str:
    """SHA-256 of a run's weights' file."""
    return hashlib.sha256(weights_path(folder).read_bytes()).hexdigest()


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Inside, so many threads: their number decides the last bits of a sum, and those an interval of the coder."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
