"""The checkpoints of one run: the newest and the one before it, and what becomes of damaged ones."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from pixelbench.files.atomic import write_bytes

NAME, BEFORE = "checkpoint.safetensors", "checkpoint.before.safetensors"


class Checkpoints:
    """Two files in a run's `work` folder. The one before is touched only when a newer one is whole and on the disk."""

    def __init__(self, work: Path) -> None:
        self.newest, self._before = work / NAME, work / BEFORE

    def save(self, blob: bytes) -> None:
        """Make `blob` the newest checkpoint, and the newest one the one before.

        Raises:
            CannotWrite: it cannot be written; what was there is still there.
        """
        write_bytes(self.newest, blob, before=self._before)

    def stored(self) -> Iterator[tuple[Path, bytes | str]]:
        """Each checkpoint that there is, newest first: its file, and its bytes, or why the disk does not give them.

        Raises:
            OSError: it cannot be read for now (no right, no memory).
        """
        for path in (self.newest, self._before):
            try:
                yield path, path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                yield path, f"it cannot be read ({error.strerror})"

    def put_away(self, path: Path) -> str:
        """Rename a damaged checkpoint, so that nothing goes on from it and somebody may look at it; returns its name from here on."""
        damaged = path.with_name(f"{path.name}.damaged")
        with contextlib.suppress(OSError):  # it stays where it is, and the next checkpoint takes its place
            path.replace(damaged)
            return damaged.name
        return path.name

    def forget(self) -> None:
        """Remove both."""
        for path in (self.newest, self._before):
            path.unlink(missing_ok=True)
