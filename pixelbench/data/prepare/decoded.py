"""Where the decoded arrays of image folders lie, and what is written down beside them.

`<root>/<task name>-<8 hex digits of the folder's path>/` holds `train.npy`, `validation.npy` and `test.npy` (uint8 N, C, H, W),
`listing` (what the folder held, a stamp a file, each ended by a zero byte) and `manifest.json`. It appears by one rename, when it is whole.
"""

import contextlib
import hashlib
import json
import os
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pixelbench.data.folder import data_folder
from pixelbench.data.task import Split, TaskData
from pixelbench.errors import UserError
from pixelbench.files.disk import to_disk

VARIABLE = "PIXELBENCH_CACHE"
#: 2: images that splits have in common are counted.
FORMAT = 2
SPLIT_NAMES = ("train", "validation", "test")
MANIFEST, LISTING = "manifest.json", "listing"
#: What tasks of folders are called; a name of a suite or a record may be anything, also a pattern or a path.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,80}")


@dataclass(frozen=True)
class Manifest:
    """A prepared data set, and its source.

    `source`: the folder. `listing`: the digest of its `Contents`; `files`: its images by folder; `ignored`: its other names, and
    `ignored_names`: the first of them. `shape`: (C, H, W). `images`: by split, and `bytes`: of the array's file. `digest`: the
    `data_digest` of the three splits. `grey`: grey files made colour images. `overlap`: images of validation that are in train too, and of
    test that are in one of these. `left_out`: files of no use, by what is wrong with them, and `left_out_names`: the first hundred of them.
    """

    source: str
    listing: str
    files: dict[str, int]
    ignored: int
    ignored_names: list[str]
    shape: tuple[int, int, int]
    images: dict[str, int]
    bytes: dict[str, int]
    digest: str
    grey: int
    overlap: dict[str, int]
    left_out: dict[str, int]
    left_out_names: list[str]
    pillow: str
    format: int = FORMAT


def prepared_root() -> Path:
    """The folder of all prepared arrays: `$PIXELBENCH_CACHE`, else `prepared` in the data folder."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else data_folder() / "prepared"


def place(task_name: str, folder: Path) -> Path:
    """Where the arrays of that image folder lie, or would."""
    return prepared_root() / f"{task_name}-{hashlib.sha256(os.fsencode(os.path.abspath(folder))).hexdigest()[:8]}"


def places(task_name: str) -> list[Path]:
    """All places of that task's name, of whatever folders; the one used last comes first."""
    if not _NAME.fullmatch(task_name):
        return []
    found = [path for path in prepared_root().glob(f"{task_name}-{'[0-9a-f]' * 8}") if os.path.isfile(path / MANIFEST)]
    return sorted(found, key=lambda path: (path / MANIFEST).stat().st_mtime_ns, reverse=True)


def mark_used(where: Path) -> None:
    """Make it the one used last; a cache that cannot be written to is used all the same."""
    now = time.time_ns()  # the system's own time of change is some milliseconds coarse
    with contextlib.suppress(OSError):
        os.utime(where / MANIFEST, ns=(now, now))


def read_manifest(where: Path) -> Manifest | None:
    """None where nothing is prepared, or not by this version, or an array's file has another size than it was written with."""
    try:
        fields = json.loads((where / MANIFEST).read_bytes())
        manifest = Manifest(**fields | {"shape": tuple(fields["shape"])})
        whole = manifest.format == FORMAT and all((where / f"{name}.npy").stat().st_size == manifest.bytes[name] for name in SPLIT_NAMES)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return manifest if whole else None


def write_manifest(where: Path, manifest: Manifest) -> None:
    """Last of all files, and on the disk when this returns."""
    (where / MANIFEST).write_text(json.dumps(asdict(manifest), sort_keys=True, indent=1) + "\n")
    to_disk(where / MANIFEST)


def map_images(where: Path, manifest: Manifest) -> TaskData:
    """The three splits, their pages read when they are used and copied when they are written. A cluster is an image's number through them.

    Raises:
        UserError: an array is not what the manifest says.
    """
    splits, first = [], 0
    for name in SPLIT_NAMES:
        path, shape = where / f"{name}.npy", (manifest.images[name], *manifest.shape)
        try:
            images = np.load(path, mmap_mode="c")
        except (OSError, ValueError) as error:
            raise UserError(f"'{path}' cannot be read ({error}); remove '{where}' and prepare the images again.") from None
        if images.dtype != np.uint8 or images.shape != shape:
            raise UserError(f"'{path}' does not hold the images that were prepared; remove '{where}' and prepare them again.")
        splits.append(Split(images, np.arange(first, first + len(images), dtype=np.int64)))
        first += len(images)
    return TaskData(*splits)


def changes(where: Path, now: dict[str, bytes]) -> list[str]:
    """The paths, sorted, whose stamp is not the one in the listing at `where`, or that only one of the two has; none without a listing."""
    with contextlib.suppress(OSError):
        before = {os.fsdecode(stamp.split(b" ", 2)[2]): stamp for stamp in (where / LISTING).read_bytes().split(b"\0") if stamp}
        return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    return []
