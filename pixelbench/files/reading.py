"""Reading a file of a folder that may hold anything: a device without end, a pipe that nobody writes to, a link to itself."""

import errno
import os
import stat
from pathlib import Path


def read_bounded(path: Path, most: int) -> bytes | None:
    """The contents of a regular file; None where it has more than `most` bytes.

    Raises:
        OSError: it cannot be read, or is a folder, a device, a pipe or a socket.
    """
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe without a writer would hold up whoever opens it
    with open(opened, "rb") as file:
        found = os.fstat(opened)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))
        return None if found.st_size > most else file.read()
