"""Decodes many files straight into one array's file, by as many processes as there are cores."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import open_memmap, write_array_header_1_0

from pixelbench.data.prepare.decode import Chunk, Decoded, Shape, decode_chunk
from pixelbench.data.prepare.listing import printable
from pixelbench.errors import UserError

#: A chunk is at most so many files and so many bytes of pixels.
CHUNK_FILES, CHUNK_BYTES = 256, 1 << 24
#: Fewer files than this are decoded before other processes would have started.
ALONE_BELOW = 4096


class Refused(NamedTuple):
    """A file of no use: its place in the array, and what is wrong with it, for the count and for the list."""

    number: int
    kind: str
    text: str


@dataclass
class Array:
    """The file of one split while it is written. `names[i]` is the file whose image begins at byte `begin + i * bytes of an image`."""

    path: Path
    names: list[str]
    shape: Shape
    begin: int
    prints: np.ndarray
    """The `fingerprint` (N,) uint64 of each image."""

    @classmethod
    def create(cls, path: Path, names: list[str], shape: Shape) -> "Array":
        """A file of zeros that takes no room yet."""
        mapped = open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(names), *shape))
        return cls(path, names, shape, mapped.offset, np.zeros(len(names), np.uint64))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def image_bytes(self) -> int:
        """Bytes of one image."""
        return int(np.prod(self.shape))

    @property
    def chunk_images(self) -> int:
        """Images that are handled at once."""
        return max(1, min(CHUNK_FILES, CHUNK_BYTES // self.image_bytes))

    def chunks(self, split: str, folder: Path) -> Iterator[Chunk]:
        """The work, in pieces."""
        for first in range(0, len(self), self.chunk_images):
            names = self.names[first : first + self.chunk_images]
            yield Chunk(split, first, str(folder), names, self.shape, str(self.path), self.begin + first * self.image_bytes)

    def close_gaps(self, gaps: set[int]) -> None:
        """Take the images of these numbers out; the others move up, within the file."""
        if not gaps:
            return
        kept = np.array([number for number in range(len(self)) if number not in gaps], np.int64)
        images = np.load(self.path, mmap_mode="r")
        with self.path.open("r+b") as file:
            for first in range(0, len(kept), self.chunk_images):
                block = images[kept[first : first + self.chunk_images]]
                file.seek(self.begin + first * self.image_bytes)
                file.write(block.data)
            del images
            file.truncate(self.begin + len(kept) * self.image_bytes)
            file.seek(0)  # NumPy's header leaves room for any number of images, so it keeps its length
            write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (len(kept), *self.shape)})
        self.names, self.prints = [self.names[number] for number in kept], self.prints[kept]


def decode_into(arrays: dict[str, Array], folder: Path, tell: Callable[[str, int], None]) -> tuple[int, dict[str, list[Refused]]]:
    """Fill the arrays of all splits; `tell` hears of a split and how many of its files were looked at so far.

    Returns:
        How many grey files were converted, and the files of no use by split.

    Raises:
        UserError: a worker process died.
        OSError: an array cannot be written.
    """
    grey, done = 0, dict.fromkeys(arrays, 0)
    refused: dict[str, list[Refused]] = {split: [] for split in arrays}
    for chunk, decoded in _decoded(arrays, folder):
        for number, kind, detail in decoded.refused:
            text = f"{printable(chunk.names[number])} ({kind}{f': {detail}' if detail else ''})"
            refused[chunk.split].append(Refused(chunk.first + number, kind, text))
        grey += decoded.grey
        arrays[chunk.split].prints[chunk.first : chunk.first + len(chunk.names)] = decoded.prints
        done[chunk.split] += len(chunk.names)
        tell(chunk.split, done[chunk.split])
    return grey, {split: sorted(found) for split, found in refused.items()}


def _decoded(arrays: dict[str, Array], folder: Path) -> Iterator[tuple[Chunk, Decoded]]:
    """The chunks as they are done, in no order."""
    chunks = (chunk for split, array in arrays.items() for chunk in array.chunks(split, folder))
    if sum(map(len, arrays.values())) < ALONE_BELOW:
        yield from ((chunk, decode_chunk(chunk)) for chunk in chunks)
        return
    workers = _cores()
    context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
        try:
            running: dict[Future[Decoded], Chunk] = {}
            while True:
                # A few at a time: a million names are not put into messages at once.
                running |= {pool.submit(decode_chunk, chunk): chunk for chunk in islice(chunks, 4 * workers - len(running))}
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool:
            raise UserError(f"A process that decodes the images of '{folder}' died (out of memory?); say it again.") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """Those that this process may use, where the system says."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _begin_worker() -> None:
    """Ctrl-C is the parent's to handle, and a worker does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_any([parent.sentinel])
        os._exit(1)
