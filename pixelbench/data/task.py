"""A task: images, preprocessing and split, held together by one pinned digest."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, Protocol

import numpy as np

from pixelbench.data.download.progress import ReportStep
from pixelbench.errors import UserError

#: How grey values became pixels 0 and 1. Numbers on images that were binarised in two ways have nothing to do with each other.
Binarisation = Literal["fixed", "dynamic", "threshold"]

_INTEGERS = (np.uint8, np.int16, np.int32)


@dataclass(frozen=True)
class Split:
    """Images of one split.

    `images`: uint8, of more than 256 levels int16 or int32, (N, C, H, W), values 0 … levels-1. `clusters`: int64 (N,), the region or
    writer an image comes from; images of one cluster are not independent, and standard errors are over clusters or over what unites several
    of them (`Task.unit_of`). `labels`: int64 (N,), an image's class; None where a task has none.
    """

    images: np.ndarray
    clusters: np.ndarray
    labels: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.images.dtype not in _INTEGERS or self.images.ndim != 4:
            raise ValueError(f"images must be uint8, int16 or int32 (N, C, H, W), got {self.images.dtype} {self.images.shape}")
        if self.clusters.dtype != np.int64 or self.clusters.shape != self.images.shape[:1]:
            raise ValueError(f"clusters must be int64 ({len(self.images)},), got {self.clusters.dtype} {self.clusters.shape}")
        if self.labels is not None and (self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]):
            raise ValueError(f"labels must be int64 ({len(self.images)},), got {self.labels.dtype} {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.images)

    def copy(self) -> "Split":
        """The same split in arrays of its own."""
        return self[:]

    def __getitem__(self, chosen: slice | np.ndarray) -> "Split":
        """The chosen images with their clusters and labels, in arrays of their own."""
        labels = None if self.labels is None else self.labels[chosen].copy()
        return Split(self.images[chosen].copy(), self.clusters[chosen].copy(), labels)

    def interleaved(self) -> "Split":
        """The same images, one of each cluster in turn.

        A prefix (`--limit`, a sample grid) then covers all clusters, and neighbours in a photograph are not neighbours in a mosaic, where
        a codec could use what no model of single images can see.
        """
        return self[_in_turn(self.clusters)]

    def by_label(self) -> "Split":
        """The same images, one of each label in turn.

        Raises:
            ValueError: they have no labels.
        """
        if self.labels is None:
            raise ValueError("these images have no labels")
        return self[_in_turn(self.labels)]


@dataclass(frozen=True)
class TaskData:
    """The three splits. Test is for the final score only; choices are made on validation."""

    train: Split
    validation: Split
    test: Split

    def splits(self) -> dict[str, Split]:
        """The splits by name, in the order train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


class Obtain(Protocol):
    """Gets what a task lacks. Two processes at once do it once; nothing half-done is ever used; a later call goes on.

    `skip_damaged`: leaves out the files of an image folder that cannot be used, instead of refusing them. `allow_overlap`: takes a folder
    with images that are in two splits.

    Raises:
        UserError: it cannot be had; the sentence says why and what to do.
    """

    def __call__(self, report: ReportStep, *, skip_damaged: bool = False, allow_overlap: bool = False) -> None: ...


@dataclass(frozen=True)
class Task:
    """A data set with its split.

    `preprocessing`, `split_rule` and `source` (with licence) are sentences for people. `digest` is the `data_digest` of what `builder`
    must return: pinned for the tasks that ship, of an image folder what it was when it was prepared (empty before). `sizes`: images in
    train, validation and test; None before an image folder is prepared. `pinned_with` lists the installed packages that the arrays come
    from, with the versions they were pinned with. `classes`: labels are 0 … classes-1; 0 where the images have none.

    `missing`: what is not there that `builder` reads, and how to get it, as one sentence; None where all is there. It looks at names and
    sizes of files only. `obtain` gets it: a download, or the preparation of an image folder; None where only the user can.

    `redrawn`: the training images are grey values out of 255, and each time one is used each pixel is drawn again, 1 with that
    probability. `mapped`: the builder maps files whose digest was taken when they were written, so that a million images need no memory;
    they are not read through again.

    `unit_of`: clusters (N,) to the independent unit that each belongs to, over which errors are; itself by default. Not the clusters
    themselves, which decide the order in which images are dealt and are part of the digest: a run's key must not change because
    an error is estimated better. Applied again it changes nothing, so that it does not matter whether stored clusters are units already.
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
    sizes: tuple[int, int, int] | None
    pinned_with: tuple[tuple[str, str], ...] = ()
    classes: int = 0
    missing: Callable[[], str | None] = lambda: None
    obtain: Obtain | None = None
    redrawn: bool = False
    mapped: bool = False
    other_images: Callable[[], str | None] = lambda: None
    """Where images are not the pinned ones: whose they are and what to do, as the end of a sentence; None where the files are right."""
    remarks: tuple[str, ...] = ()
    """Sentences about the images that are no part of what a run is: files of a folder that were passed over."""
    unit_of: Callable[[np.ndarray], np.ndarray] = lambda clusters: clusters
    all_training: str = ""
    """The pinned digest of the split `all-training`, where training sees the validation images too; empty where there is no such split."""
    binarisation: Binarisation | None = None
    """How its images were binarised; None where they were not."""
    published_split: str = "test"
    """What papers call the test images: the small ImageNets have no other than a published validation set."""
    published_images: int | None = None
    """Images of that split; None where no paper scores them."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width

    @property
    def dimensions(self) -> int:
        """Sub-pixels of one image, D = C*H*W."""
        return self.channels * self.height * self.width

    def with_split(self, split: str) -> "Task":
        """The task itself for `held-out`; for `all-training` the one without validation images, with a digest of its own.

        Raises:
            ValueError: it has no such split; the end of a sentence, without a final stop.
        """
        if split == "held-out":
            return self
        if split != "all-training" or not self.all_training:
            raise ValueError(f"split = '{split}' is none of this task's; expected 'held-out'")
        return _all_training(self)

    def load(self) -> TaskData:
        """The verified images; read once a process, and each caller gets arrays of its own (of mapped ones, pages of its own on writing).

        Raises:
            UserError: a file is missing, damaged or not readable, or the images are not the pinned ones.
        """
        if self.mapped:
            return self.builder()
        data = _verified(self)
        return TaskData(data.train.copy(), data.validation.copy(), data.test.copy())

    def in_units(self, data: TaskData) -> TaskData:
        """The same images with independent units for clusters: what is scored. Not what is digested or dealt out in turn."""
        return TaskData(*(Split(split.images, self.unit_of(split.clusters), split.labels) for split in data.splits().values()))


def _in_turn(groups: np.ndarray) -> np.ndarray:
    """Indices that take one member of each group in turn, each group in its own order."""
    rank = np.zeros(len(groups), np.int64)
    for group in np.unique(groups):
        members = groups == group
        rank[members] = np.arange(members.sum())
    return np.lexsort((groups, rank))


def data_digest(data: TaskData) -> str:
    """SHA-256 over names, shapes, types and C-order little-endian bytes of all images, clusters and labels, as 64 hex digits."""
    digest = hashlib.sha256()
    for name, split in data.splits().items():
        for field, array in vars(split).items():
            if array is None:
                continue
            plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            digest.update(f"{name}.{field} {plain.dtype.str} {plain.shape}\n".encode())
            digest.update(plain.reshape(-1).view(np.uint8).data)  # no copy: a mapped array is read a page at a time
    return digest.hexdigest()


@cache
def _all_training(task: Task) -> Task:
    def build() -> TaskData:
        data = task.builder()
        return TaskData(_joined(data.train, data.validation), data.validation[:0], data.test)

    assert task.sizes is not None, "a task whose split is pinned has a pinned number of images"
    train, validation, test = task.sizes
    return replace(
        task,
        digest=task.all_training,
        all_training="",
        split_rule=f"{task.split_rule} Here training sees all {train + validation:,} of them, and nothing is held out for validation.",
        builder=build,
        sizes=(train + validation, 0, test),
    )


def _joined(first: Split, second: Split) -> Split:
    labels = None if first.labels is None or second.labels is None else np.concatenate([first.labels, second.labels])
    return Split(np.concatenate([first.images, second.images]), np.concatenate([first.clusters, second.clusters]), labels)


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
    other_images = task.other_images()
    if other_images:
        return other_images
    if not _is_own(task):
        return "what builds them gives other images now, or the digest is not yet that of the first ones; pin the digest of what is meant"
    if not task.pinned_with:
        return "the files were verified, so what reads them was changed; reinstall pixelbench"
    differing = [(name, pinned, installed) for name, pinned in task.pinned_with if (installed := _installed(name)) != pinned]
    if not differing:
        return "all packages have the versions of the pin, so a file in them was changed; reinstall " + ", ".join(dict(task.pinned_with))
    found = ", ".join(f"{name} {installed} is installed and {pinned} was pinned" for name, pinned, installed in differing)
    wanted = " ".join(f"{name}=={pinned}" for name, pinned, _ in differing)
    return f"{found}; try `pip install {wanted}`"


def _is_own(task: Task) -> bool:
    function = getattr(task.builder, "func", task.builder)  # of a partial
    return getattr(function, "__module__", "").partition(".")[0] == __name__.partition(".")[0]


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(none)"
