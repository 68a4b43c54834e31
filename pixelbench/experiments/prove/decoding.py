"""A file of coded images and the model that coded them → the images, from its weights alone."""

import contextlib
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
from pixelbench.experiments.prove.sources import Source
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
    if not header.run_key:
        raise UserError("The images were coded by a model that is no run; name it with --target, and its weights with --weights.")
    if header.run_key not in found:
        said = f"The images were coded by run {header.run_key}, which is not in '{results}'"
        raise UserError(f"{said}; name the folder that holds it with --results DIR.")
    return found.examine([header.run_key])[header.run_key]


def decode_container(file: Container, source: Source, progress: Progress = lambda done, total: None) -> Decoded:
    """Decode with the weights of a source, in batches and threads of the encoder.

    Raises:
        UserError: no weights, or not those by which the images were coded.
    """
    header = file.header
    model = source.load()
    if (header.shape, header.levels) != source.images:
        size = f"{'x'.join(map(str, header.shape))} with {header.levels} levels"
        raise UserError(f"The file holds images of {size}, which {source.name} is not of.")
    if header.weights != source.weights_digest():
        place = f"than those in '{source.place}' (their SHA-256 differ)"
        raise UserError(f"The images were coded with other weights of {source.name} {place}.")
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


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Inside, so many threads: their number decides the last bits of a sum, and those an interval of the coder."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
