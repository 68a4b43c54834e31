"""A task: images, preprocessing and split, held together by one pinned digest."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from pixelbench.errors import UserError


@dataclass(frozen=True)
class Split:
    """Images of one split.

    `images`: uint8 (N, C, H, W), values 0 … levels-1. `clusters`: int64 (N,), the region or writer an image comes from; images of one
    cluster are not independent, so standard errors are taken over clusters.
    """

    images: np.ndarray
    clusters: np.ndarray

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(f"images must be uint8 (N, C, H, W), got {self.images.dtype} {self.images.shape}")
        if self.clusters.dtype != np.int64 or self.clusters.shape != self.images.shape[:1]:
            raise ValueError(f"clusters must be int64 ({len(self.images)},), got {self.clusters.dtype} {self.clusters.shape}")

    def __len__(self) -> int:
        return len(self.images)

    def copy(self) -> "Split":
        """The same split in arrays of its own."""
        return Split(self.images.copy(), self.clusters.copy())

    def interleaved(self) -> "Split":
        """The same images, one of each cluster in turn.

        A prefix (`--limit`, a sample grid) then covers all clusters, and neighbours in a photograph are not neighbours in a mosaic, where
        a codec could use what no model of single images can see.
        """
        rank = np.zeros(len(self), np.int64)
        for cluster in np.unique(self.clusters):
            members = self.clusters == cluster
            rank[members] = np.arange(members.sum())
        order = np.lexsort((self.clusters, rank))
        return Split(self.images[order], self.clusters[order])


@dataclass(frozen=True)
class TaskData:
    """The three splits. Test is for the final score only; choices are made on validation."""

    train: Split
    validation: Split
    test: Split

    def splits(self) -> dict[str, Split]:
        """The splits by name, in the order train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True)
class Task:
    """What is modelled.

    `preprocessing`, `split_rule` and `source` (with licence) are sentences for people. `digest` is the pinned `data_digest` of what
    `builder` must return; `pinned_with` lists the installed packages that the arrays come from, with the versions they were pinned with.
    `classes`: labels are 0 … classes-1; 0 where the images have none.
    """

    name: str
    title: str
    channels: int
    height: int
    width: int
    levels: int
    digest: str
    preprocessing: str
    split_rule: str
    source: str
    builder: Callable[[], TaskData]
    pinned_with: tuple[tuple[str, str], ...] = ()
    classes: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width

    @property
    def dimensions(self) -> int:
        """Sub-pixels of one image, D = C*H*W."""
        return self.channels * self.height * self.width

    def load(self) -> TaskData:
        """The verified images; read once a process, and each caller gets arrays of its own.

        Raises:
            UserError: a file is missing from an installed package, or the images are not the pinned ones.
        """
        data = _verified(self)
        return TaskData(data.train.copy(), data.validation.copy(), data.test.copy())


def data_digest(data: TaskData) -> str:
    """SHA-256 over names, shapes, types and C-order little-endian bytes of all images and clusters, as 64 hex digits."""
    digest = hashlib.sha256()
    for name, split in data.splits().items():
        for field, array in (("images", split.images), ("clusters", split.clusters)):
            plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            digest.update(f"{name}.{field} {plain.dtype.str} {plain.shape}\n".encode())
            digest.update(plain.tobytes())
    return digest.hexdigest()


@cache
def _verified(task: Task) -> TaskData:
    data = task.builder()
    digest = data_digest(data)
    if digest != task.digest:
        raise UserError(
            f"The images of task '{task.name}' are not the pinned ones (their digest is {digest}, pinned is {task.digest}): "
            f"{_difference(task)}."
        )
    return data


def _difference(task: Task) -> str:
    """Which installed packages are not those of the pin: the likely cause, and what to install."""
    differing = [(name, pinned, installed) for name, pinned in task.pinned_with if (installed := _installed(name)) != pinned]
    if not differing:
        return "all packages have the versions of the pin, so a file in them was changed; reinstall " + ", ".join(dict(task.pinned_with))
    found = ", ".join(f"{name} {installed} is installed and {pinned} was pinned" for name, pinned, installed in differing)
    wanted = " ".join(f"{name}=={pinned}" for name, pinned, _ in differing)
    return f"{found}; try `pip install {wanted}`"


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(none)"
