"""Decodes a folder of images once, in parallel, into arrays that are mapped from then on.

Two processes at once: one prepares, the other waits and finds it done. Memory does not grow with the number of images but for their names.
"""

import contextlib
import multiprocessing
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import filelock
import PIL

from pixelbench.data.download.progress import DownloadStep, ReportStep
from pixelbench.data.prepare.arrays import Array, Refused, decode_into
from pixelbench.data.prepare.decode import Shape, common_shape
from pixelbench.data.prepare.decoded import (
    LISTING,
    SPLIT_NAMES,
    VARIABLE,
    Manifest,
    map_images,
    prepared_root,
    read_manifest,
    write_manifest,
)
from pixelbench.data.prepare.listing import Contents, Found, look, printable, survey
from pixelbench.data.prepare.overlap import Overlap, overlap_of
from pixelbench.data.prepare.splits import Names, spaced, split_names
from pixelbench.data.task import data_digest
from pixelbench.errors import UserError, first_line
from pixelbench.files.disk import to_disk

#: So many files, evenly spaced, say which shape the images have.
LOOKED_AT = 100
NAMED, NAMES_KEPT = 10, 100


@dataclass(frozen=True)
class Accepted:
    """`damaged`: files of no use are left out. `overlap`: images may be in two splits."""

    damaged: bool = False
    overlap: bool = False


def prepare(where: Path, folder: Path, report: ReportStep, *, side: int | None, command: str, accepted: Accepted) -> None:
    """Bring `where` up to date with `folder`; nothing happens where it is.

    Args:
        where: from `prepare_store.place`.
        folder: the image folder.
        report: told how many images of each split are decoded.
        side: the images must be in colour and so large; None takes the shape of most.
        command: what a user says to prepare this folder.
        accepted: what is left out, or used, instead of raising.

    Raises:
        UserError: a folder that cannot be used, files of no use, no room; one sentence, and `where` is as it was.
    """
    if _is_current(where, folder):
        return
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # it would wait for its parent, which waits for it
        raise UserError(
            "Images are decoded by processes that import your program first: put what it does under `if __name__ == '__main__':`."
        )
    try:
        prepared_root().mkdir(parents=True, exist_ok=True)
        with _alone(where, report):
            if not _is_current(where, folder):
                with _replacing(where) as made:
                    _prepare(made, folder, report, side=side, command=command, accepted=accepted)
    except OSError as error:
        raise UserError(
            f"The images of '{folder}' cannot be prepared in '{prepared_root()}' ({error.strerror or first_line(error)}); free some space "
            f"or fix its permissions, or choose another folder with {VARIABLE}=DIR."
        ) from None


def _is_current(where: Path, folder: Path) -> bool:
    look.cache_clear()
    manifest = read_manifest(where)
    return manifest is not None and manifest.listing == look(folder).digest


@contextlib.contextmanager
def _alone(where: Path, report: ReportStep) -> Iterator[None]:
    """Wait while another process prepares the same; the kernel frees the lock when its holder ends, however it ends."""
    lock = filelock.FileLock(where.with_name(f"{where.name}.lock"))
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            report(DownloadStep("waiting for another process that prepares these images", 0, None, "images"))
            lock.acquire()
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _replacing(where: Path) -> Iterator[Path]:
    """A new folder that takes the place of `where` at the end of the block, and is gone if that is not reached."""
    for rest in where.parent.glob(f".{where.name}.*.tmp"):  # of a process that was killed: only the lock's holder makes and removes them
        shutil.rmtree(rest, ignore_errors=True)
    made, old = (where.with_name(f".{where.name}.{secrets.token_hex(6)}.tmp") for _ in range(2))
    made.mkdir()
    try:
        yield made
        if where.exists():
            where.rename(old)
        made.rename(where)
        to_disk(where.parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _prepare(made: Path, folder: Path, report: ReportStep, *, side: int | None, command: str, accepted: Accepted) -> None:
    contents, names = _listed(made, folder)
    shape = images_shape(folder, names["train"], side)
    arrays = {split: Array.create(made / f"{split}.npy", paths, shape) for split, paths in split_names(names).items()}
    grey, refused = decode_into(arrays, folder, lambda split, done: report(DownloadStep(split, done, len(arrays[split]), "images")))
    found = sorted((refusal for split in refused.values() for refusal in split), key=lambda refusal: refusal.text)
    if found and not accepted.damaged:
        raise UserError(_refusal(folder, found, sum(contents.files.values()), command))
    for split, array in arrays.items():
        array.close_gaps({refusal.number for refusal in refused[split]})
        if not len(array):
            raise UserError(f"Of the {split} images in '{folder}' not one can be used; the first: {refused[split][0].text}.")
    common = overlap_of({split: array.prints for split, array in arrays.items()}, {split: array.names for split, array in arrays.items()})
    if common.counts and not accepted.overlap:
        raise UserError(_overlapping(folder, common, arrays, f"{command}{' --skip-damaged' if found else ''}"))
    if survey(folder) != contents:
        raise UserError(f"The images in '{folder}' were changed while they were decoded; say `{command}` again.")
    _write_manifest(made, folder, contents, shape, arrays, grey, found, common)


def _listed(made: Path, folder: Path) -> tuple[Contents, Names]:
    """The images by folder, and the listing written down."""
    names: Names = {}
    with (made / LISTING).open("wb") as listing:

        def keep(found: Found) -> None:
            names.setdefault(found.folder, []).append(found.path)
            listing.write(found.stamp + b"\0")

        contents = survey(folder, keep)
    return contents, names


def images_shape(folder: Path, names: list[str], side: int | None) -> Shape:
    """(C, H, W) of most of the files looked at.

    Raises:
        UserError: none of them can be read, or most are not `side` wide and high.
    """
    looked_at = [names[number] for number in spaced(len(names), min(LOOKED_AT, len(names)))]
    shape = common_shape(folder / name for name in looked_at)
    if shape is None:
        raise UserError(f"Of {len(looked_at)} files looked at in '{folder / 'train'}' none can be read as an image of 8 bits a channel.")
    if side is None:
        return shape
    if shape[1:] != (side, side):
        raise UserError(f"Most images in '{folder / 'train'}' are {shape[2]}x{shape[1]}, not {side}x{side} as this task needs.")
    return 3, side, side


def _refusal(folder: Path, found: list[Refused], files: int, command: str) -> str:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in Counter(refusal.kind for refusal in found).items())
    names = ", ".join(refusal.text for refusal in found[:NAMED]) + (f" and {len(found) - NAMED:,} more" if len(found) > NAMED else "")
    return (
        f"Of {files:,} images in '{folder}', {len(found):,} cannot be used ({counts}): {names}; fix or remove them, or leave them out "
        f"with `{command} --skip-damaged`."
    )


def _overlapping(folder: Path, common: Overlap, arrays: dict[str, Array], command: str) -> str:
    said = []
    for split, count in common.counts.items():
        mine, other = map(printable, common.first[split])
        said.append(f"{count:,} of the {len(arrays[split]):,} {split} images (the first: {mine} is {other})")
    return (
        f"Images in '{folder}' are in two splits, so a score would not be of images that are new to the model: {' and '.join(said)} "
        f"{'are' if len(said) > 1 or max(common.counts.values()) > 1 else 'is'} in an earlier split too; remove them, or accept them with "
        f"`{command} --allow-overlap`, and every report says so."
    )


def _write_manifest(
    made: Path,
    folder: Path,
    contents: Contents,
    shape: Shape,
    arrays: dict[str, Array],
    grey: int,
    found: list[Refused],
    common: Overlap,
) -> None:
    for name in (LISTING, *(f"{split}.npy" for split in SPLIT_NAMES)):
        to_disk(made / name)
    manifest = Manifest(
        source=os.path.abspath(folder),
        listing=contents.digest,
        files=contents.files,
        ignored=contents.ignored,
        ignored_names=list(contents.ignored_names),
        shape=shape,
        images={split: len(array) for split, array in arrays.items()},
        bytes={split: array.path.stat().st_size for split, array in arrays.items()},
        digest="",
        grey=grey,
        overlap=common.counts,
        left_out=dict(Counter(refusal.kind for refusal in found)),
        left_out_names=[refusal.text for refusal in found[:NAMES_KEPT]],
        pillow=PIL.__version__,
    )
    write_manifest(made, replace(manifest, digest=data_digest(map_images(made, manifest))))
    to_disk(made)
