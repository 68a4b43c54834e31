"""Tasks made of CIFAR-10: as published, grey, and small enough for a CPU; read in torchvision's layout, `DIR/cifar-10-batches-py`.

The published files are Python pickles. One is loaded only after its MD5 was found to be the published one, since a pickle can run code.
"""

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pixelbench.data.download.progress import ReportStep
from pixelbench.data.download.remote import Remote
from pixelbench.data.folder import VARIABLE, data_folder
from pixelbench.data.task import Split, Task, TaskData
from pixelbench.data.whole import alone, said
from pixelbench.errors import UserError

FOLDER = "cifar-10-batches-py"
ARCHIVE = Remote("cifar-10-python.tar.gz", ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",), "c58f30108f718f92721af3b95e74349a")
#: Batch → (MD5, bytes); those of training first.
BATCHES = {
    "data_batch_1": ("c99cafc152244af753f735de768cd75f", 31_035_704),
    "data_batch_2": ("d4bba439e000b95fd0a9bffe97cbabec", 31_035_320),
    "data_batch_3": ("54ebc095f3ab1f0389bbae665268c751", 31_035_999),
    "data_batch_4": ("634d18415352ddfa80567beed471001a", 31_035_696),
    "data_batch_5": ("482c414d41f54cd18b22e5b47cb7c3cb", 31_035_623),
    "test_batch": ("40351d587109b95175f43aff81a1287e", 31_035_526),
}
#: The folder of CIFAR-100 in torchvision's layout.
_HUNDRED = "cifar-100-python"
#: Bytes at either end of a file of another size.
_LOOKED_AT = 4 << 20
SIDE = 32
TRAIN, VALIDATION, TEST = 45_000, 5_000, 10_000
#: ITU-R BT.601: what a thousandth part of each colour's value is worth in grey.
LUMA = np.array([299, 587, 114], np.uint32).reshape(1, 3, 1, 1)


def build_cifar10() -> TaskData:
    """The images as published. A cluster is an image: its number through the batches.

    Raises:
        UserError: a batch cannot be read, or is not the published one.
    """
    parts = [_batch(data_folder() / FOLDER / name, *BATCHES[name]) for name in BATCHES]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    everything = Split(images, np.arange(len(images), dtype=np.int64), labels)
    return TaskData(everything[:TRAIN], everything[TRAIN : TRAIN + VALIDATION], everything[TRAIN + VALIDATION :])


def build_grey() -> TaskData:
    """One channel: the weighted mean of the colours, rounded half up."""
    return _changed(lambda images: ((images * LUMA).sum(axis=1, keepdims=True) + 500) // 1000)


def build_small() -> TaskData:
    """16x16 of 16 levels: each value the mean of a 2x2 block, rounded half up, divided by 16 and rounded down."""
    return _changed(lambda images: (_blocks(images).sum(axis=(3, 5), dtype=np.uint32) + 2) // 4 // 16)


def missing_cifar10(task: str) -> str | None:
    """The missing files and how to get them, as one sentence; None where all batches are there in their sizes."""
    absent = _absent()
    if not absent:
        return None
    folder = data_folder() / FOLDER
    others = [f"its {name} is {_described(folder / name)}" for name in absent if (folder / name).is_file()]
    lacking = [name for name in absent if not (folder / name).is_file()]
    faults = [f"does not hold {', '.join(lacking)}"] if lacking else []
    beside = f" ('{_HUNDRED}' beside it is CIFAR-100, which is another set)" if (data_folder() / _HUNDRED).is_dir() else ""
    return (
        f"Task '{task}' needs the files of CIFAR-10 (python version), and '{folder}' {', '.join([*faults, *others])}{beside}; get them "
        f"with `pixelbench fetch {task}`, or name the folder that has {FOLDER} with --data DIR or {VARIABLE}=DIR."
    )


def obtain_cifar10(report: ReportStep, *, skip_damaged: bool = False, allow_overlap: bool = False) -> None:
    """Download the archive and take the missing batches out of it; the options of image folders have no meaning here."""
    from pixelbench.data.download.files import download  # not for planning: network and archives
    from pixelbench.data.download.unpack import extract

    with alone(data_folder() / FOLDER, report):
        absent = _absent()
        if absent:
            archive = data_folder() / ARCHIVE.name
            download(ARCHIVE, archive, report)
            extract(archive, {f"{FOLDER}/{name}": BATCHES[name][0] for name in absent}, data_folder())
            archive.unlink()


def _absent() -> list[str]:
    folder = data_folder() / FOLDER
    return [name for name, (_, size) in BATCHES.items() if not (folder / name).is_file() or (folder / name).stat().st_size != size]


def _described(path: Path) -> str:
    """A description of a file of another size, by the names in its first and last bytes: a pickle of unknown origin is not opened."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            ends = file.read(_LOOKED_AT)
            file.seek(max(0, size - _LOOKED_AT))
            ends += file.read(_LOOKED_AT)
    except OSError as error:
        return f"unreadable ({said(error)})"
    if b"fine_labels" in ends or b"coarse_labels" in ends:
        return "of CIFAR-100"
    return f"of {size:,} bytes instead of {BATCHES[path.name][1]:,}"


def _batch(path: Path, checksum: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(10000, 3, 32, 32) images and their classes."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({said(error)}); put the published file in its place.") from None
    if len(content) != size or hashlib.md5(content, usedforsecurity=False).hexdigest() != checksum:
        other = f" but one {_described(path)}" if len(content) != size else ""
        raise UserError(
            f"'{path}' is not the published file{other}, so it was not opened; remove it and run `pixelbench fetch cifar10`, or put "
            "it there."
        )
    batch = pickle.loads(content, encoding="bytes")
    return batch[b"data"].reshape(-1, 3, SIDE, SIDE), np.array(batch[b"labels"], np.int64)


def _changed(change: Callable[[np.ndarray], np.ndarray]) -> TaskData:
    return TaskData(*(replace(split, images=change(split.images).astype(np.uint8)) for split in build_cifar10().splits().values()))


def _blocks(images: np.ndarray) -> np.ndarray:
    """(N, C, H/2, 2, W/2, 2)"""
    n, channels, height, width = images.shape
    return images.reshape(n, channels, height // 2, 2, width // 2, 2)


CIFAR10 = Task(
    name="cifar10",
    title="CIFAR-10 32x32 RGB, 256 levels",
    channels=3,
    height=SIDE,
    width=SIDE,
    levels=256,
    digest="3066a0753067bc7946e0a49abf5433efc5eec294ec6407e58d96bff05ad580a6",
    preprocessing="None: the values 0 to 255 as published.",
    split_rule=(
        f"The published training batches: the first {TRAIN:,} images train, the last {VALIDATION:,} validation; the published test batch. "
        "A cluster is an image."
    ),
    source="CIFAR-10 (A. Krizhevsky 2009; no licence stated); in the data folder, not shipped.",
    builder=build_cifar10,
    sizes=(TRAIN, VALIDATION, TEST),
    classes=10,
    missing=lambda: missing_cifar10("cifar10"),
    obtain=obtain_cifar10,
    all_training="05e6e522c0f18fea91df1b8f10f2add6e2cf0e43db96b2985a813b8470474ca2",
    published_images=TEST,
)
CIFAR10_GREY = replace(
    CIFAR10,
    name="cifar10-grey",
    title="CIFAR-10 32x32 grey, 256 levels",
    channels=1,
    digest="611b819a8c66e38adb9b8b6b56bba5d2c78a9ac36ace66f2499f7ba405466e1f",
    preprocessing="Grey by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B), rounded half up.",
    builder=build_grey,
    missing=lambda: missing_cifar10("cifar10-grey"),
    all_training="",
    published_images=None,
)
CIFAR10_16 = replace(
    CIFAR10,
    name="cifar10-16",
    title="CIFAR-10 averaged to 16x16 RGB, 16 levels",
    height=SIDE // 2,
    width=SIDE // 2,
    levels=16,
    digest="c7a14830d4aeeaef206ccd91d33134da35f545daae8d4a0b0f942fb0d3f6d3ca",
    preprocessing="Averaged over 2x2 blocks (rounded half up), then divided by 16 and rounded down to 16 levels.",
    builder=build_small,
    missing=lambda: missing_cifar10("cifar10-16"),
    all_training="",
    published_images=None,
)
