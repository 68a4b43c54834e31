"""Files that are either whole or absent, whatever happens while they are written."""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from pixelbench.disk import to_disk


def write_bytes(path: Path, data: bytes) -> None:
    """Replaces `path` by `data` in one step that survives a crash: temporary file in the same folder, fsync, rename, fsync of the folder.

    The folder is created where it is missing. On any error the temporary file is removed and what was there before is untouched.

    Raises:
        OSError: the file cannot be written (no room, no right, no folder).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    to_disk(path.parent)  # the new name too: without it a power cut can bring the old one back


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """As `write_bytes`: sorted keys, a line each, so that versions can be compared line by line.

    Raises:
        ValueError: `value` holds NaN or an infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def sweep_temporaries(folder: Path) -> None:
    """Removes the temporary files that a killed process left in `folder` and below. Only whoever holds the run's lock may."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)
