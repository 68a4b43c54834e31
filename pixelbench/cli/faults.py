"""Faults of our own: said in one sentence, with where to report them; the traceback is shown where PIXELBENCH_DEBUG is 1."""

import errno
import os
import sys
import traceback
from importlib.metadata import PackageNotFoundError, metadata

from pixelbench.errors import first_line

#: What can be wrong with a disk or a folder, as opposed to with us.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EFBIG, errno.EIO}
_DEBUG = "PIXELBENCH_DEBUG"


def fault_sentence(error: BaseException) -> str:
    """`This is a fault of PixelBench (KeyError: …): please report it …`; where the message is itself a traceback, its last line tells."""
    text = str(error).strip()
    told = text.splitlines()[-1] if text.startswith("Traceback") else f"{type(error).__name__}: {first_line(error)}"
    where = _address()
    to = f" at {where}" if where else ""
    return f"This is a fault of PixelBench ({told.rstrip('.')}): please report it{to} with the module's code and what {_DEBUG}=1 shows."


def show_if_debugging(error: BaseException) -> None:
    """The traceback on stderr, where it is asked for."""
    if os.environ.get(_DEBUG) == "1":
        text = str(error)
        sys.stderr.write(text if text.startswith("Traceback") else "".join(traceback.format_exception(error)))


def _address() -> str | None:
    """Of the project's issues, as pyproject.toml has it."""
    try:
        entries = metadata("pixelbench").get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    addresses = dict(entry.split(", ", 1) for entry in entries)
    return next((addresses[name] for name in ("Issues", "Repository", "Homepage") if name in addresses), None)
