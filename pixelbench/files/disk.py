"""The step that makes a written file, or a new name in a folder, survive a power cut."""

import os
from pathlib import Path


def to_disk(path: Path) -> None:
    """Wait until a file or a folder's list of names has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
