"""Finds out before training starts whether a store can take what the runs will leave."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from pixelbench.errors import UserError

_MEGABYTE = 1 << 20


def ensure_writable(store: Path, bytes_needed: int, folders: Iterable[Path] = ()) -> None:
    """Create the store and really write, fsync and remove a file of `bytes_needed` in it: free-space figures know no quotas.

    Args:
        store: the results folder.
        bytes_needed: what the runs are expected to leave.
        folders: run folders that will be created; nothing on the way to them may be a file or closed to us.

    Raises:
        UserError: one sentence: read-only, full, or a file in the way. A folder that was created for the probe is removed again.
    """
    store = store.absolute()
    created = [path for path in (store, *store.parents) if not os.path.exists(path)]
    try:
        store.mkdir(parents=True, exist_ok=True)
        _probe(store, bytes_needed)
        _ensure_replacing(store)
    except OSError as error:
        for path in created:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise _sentence(store, bytes_needed, error) from None
    for folder in folders:
        _ensure_reachable(folder.absolute())


def cannot_write(store: Path, error: OSError) -> str:
    """The sentences for a store that cannot be written any more: what is wrong, with which file, and what to do."""
    file = error.filename if isinstance(error.filename, str) else None
    named = "" if file is None else f" (at '{os.path.relpath(file, store) if Path(file).is_relative_to(store) else file}')"
    return f"Cannot write in results folder '{store}': {error.strerror or error}{named}. {_advice(error)}"


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free some space, or choose another folder with --results DIR."
    if error.errno in (errno.EIO, errno.ENXIO, errno.ESTALE):
        return "Look after the disk, or choose another folder with --results DIR."
    return "Fix its permissions, or choose another folder with --results DIR."


def _ensure_replacing(store: Path) -> None:
    """Every file of a store is written beside its place and put there by a rename, over what was there."""
    names = [store / f".probe.{secrets.token_hex(6)}.tmp" for _ in range(2)]
    try:
        for path in names:
            path.touch()
        os.replace(*names)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES):
            raise
        said = f"The results folder's file system cannot replace a file by another ({error.strerror}); choose another with --results DIR."
        raise UserError(said) from error
    finally:
        for path in names:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _probe(store: Path, size: int) -> None:
    """Random bytes, since a compressing file system would take any number of zeros; without a name, so that a kill leaves nothing."""
    block = os.urandom(_MEGABYTE)
    path = store / f".probe.{secrets.token_hex(6)}.tmp"
    with path.open("xb", buffering=0) as handle:
        path.unlink()
        left = size
        while left > 0:
            left -= handle.write(block[:left])
        os.fsync(handle.fileno())


def _ensure_reachable(folder: Path) -> None:
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not existing.is_dir():
        raise UserError(f"'{existing}' is a file where a folder must go; move it away or choose another results folder with --results DIR.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"Cannot write in '{existing}'; fix its permissions or choose another results folder with --results DIR.")


def _sentence(store: Path, size: int, error: OSError) -> UserError:
    choose = "choose another with --results DIR"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        needed = max(1, size // _MEGABYTE)
        return UserError(f"Results folder '{store}' has no room for the {needed} MB needed; free some space or {choose}.")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        blocker = next(path for path in (store, *store.parents) if os.path.exists(path))
        return UserError(f"Results folder '{store}' cannot be made: '{blocker}' is a file; move it away or {choose}.")
    return UserError(f"Cannot write in results folder '{store}' ({error.strerror}); fix its permissions or {choose}.")
