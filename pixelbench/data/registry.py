"""The tasks by name, and image folders by path."""

from pathlib import Path

import numpy as np

from pixelbench.data.cifar import CIFAR10, CIFAR10_16, CIFAR10_GREY
from pixelbench.data.digits import DIGITS
from pixelbench.data.folder_task import PREFIX, folder_task, imagenet_task, prepared_task
from pixelbench.data.mnist import FASHION_MNIST, MNIST, MNIST_DYNAMIC, MNIST_THRESHOLD
from pixelbench.data.mnist_fixed import MNIST_FIXED
from pixelbench.data.photos import PHOTOS, PHOTOS_8BIT
from pixelbench.data.task import Task
from pixelbench.errors import unknown

_TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        DIGITS,
        PHOTOS,
        PHOTOS_8BIT,
        MNIST,
        MNIST_FIXED,
        MNIST_DYNAMIC,
        MNIST_THRESHOLD,
        FASHION_MNIST,
        CIFAR10,
        CIFAR10_GREY,
        CIFAR10_16,
    )
}
#: The sides of the small ImageNets, whose tasks change when their folders are prepared.
_IMAGENETS = {f"imagenet{side}": side for side in (32, 64)}


def task_names() -> list[str]:
    """Every task with a name of its own."""
    return [*_TASKS, *_IMAGENETS]


def get_task(name: str) -> Task:
    """The task of that name, `folder:PATH`, or as a record calls such a folder; its images are read only by `Task.load`.

    Raises:
        UserError: no such task, the message names the nearest one; or a folder that cannot be used.
    """
    if name in _TASKS:
        return _TASKS[name]
    if name in _IMAGENETS:
        return imagenet_task(_IMAGENETS[name])
    if name.startswith(PREFIX):
        return folder_task(Path(name.removeprefix(PREFIX)))
    prepared = prepared_task(name)
    if prepared is None:
        raise unknown("task", name, task_names())
    return prepared


def usual_digest(name: str, digest: str) -> str:
    """The task's own digest where `digest` is of another split of its images, whose test images are the same; else `digest` itself."""
    task = _TASKS.get(name)
    return task.digest if task is not None and digest and digest == task.all_training else digest


def has_units(name: str) -> bool:
    """Whether errors of the task of that name are over larger units than its clusters, so that `relabel` changes something."""
    return name in _TASKS and _TASKS[name].unit_of is not Task.unit_of


def relabel(name: str, clusters: np.ndarray) -> np.ndarray:
    """The independent unit (N,) of each stored cluster of the task of that name; those of a folder or an unknown task stay as they are.

    Records of schema 1 hold the clusters of the split, newer ones units already; those come back as they are.

    Raises:
        ValueError: a cluster that the task does not have.
    """
    return _TASKS[name].unit_of(clusters) if name in _TASKS else clusters
