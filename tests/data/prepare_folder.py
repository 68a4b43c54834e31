"""A program that prepares an image folder and can be held or killed: `prepare_folder.py FOLDER pool|alone`.

Prints each step and the processes it started, and reads a line before it goes on.
"""

import multiprocessing
import sys
from pathlib import Path

from pixelbench.data.download.progress import DownloadStep
from pixelbench.data.prepare import arrays as prepare_arrays
from pixelbench.data.sources.folder_task import folder_task


def tell(step: DownloadStep) -> None:
    """One step, one line, one wait."""
    children = [child.pid for child in multiprocessing.active_children()]
    print(step.what, step.done, *children, flush=True)  # noqa: T201
    sys.stdin.readline()


if __name__ == "__main__":
    prepare_arrays.CHUNK_FILES = 4
    prepare_arrays.ALONE_BELOW = 0 if sys.argv[2] == "pool" else 1000
    task = folder_task(Path(sys.argv[1]))
    assert task.obtain is not None
    task.obtain(tell)
    print("done", flush=True)  # noqa: T201
