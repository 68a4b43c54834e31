"""The tasks by name, ours and those that other packages register, and image folders by path."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pixelbench.data.sources.array_task import PREFIX as ARRAY
from pixelbench.data.sources.array_task import array_task, known_array
from pixelbench.data.sources.cifar import CIFAR10, CIFAR10_16, CIFAR10_GREY
from pixelbench.data.sources.digits import DIGITS
from pixelbench.data.sources.folder_task import PREFIX, folder_task, imagenet_task, prepared_task
from pixelbench.data.sources.mnist import FASHION_MNIST, MNIST, MNIST_DYNAMIC, MNIST_THRESHOLD
from pixelbench.data.sources.mnist_fixed import MNIST_FIXED
from pixelbench.data.sources.photos import PHOTOS, PHOTOS_8BIT
from pixelbench.data.task import Task, TaskData
from pixelbench.errors import unknown
from pixelbench.levels import MOST_LEVELS
from pixelbench.registration import Registry

_Builder = Callable[[], TaskData]
TASKS: Registry[Task] = Registry("task", "pixelbench.tasks")
#: The sides of the small ImageNets, whose tasks change when their folders are prepared.
_IMAGENETS = {f"imagenet{side}": side for side in (32, 64)}


def register_task(task: Task) -> Task:
    """Make a task known by name.

    Raises:
        UserError: the name is taken, or is none.
        ValueError: something else that no task can have.
    """
    TASKS.add(task.name, _checked(task), sys._getframe(1).f_globals["__name__"])
    return task


def task_names() -> list[str]:
    """Every task with a name of its own that can be used."""
    return [*TASKS.usable()[0], *_IMAGENETS]


def get_task(name: str) -> Task:
    """The task of that name, `folder:PATH`, `array:PATH`, or as a record calls these; its images are read only by `Task.load`.

    Raises:
        UserError: no such task, the message names the nearest one; or a folder or file that cannot be used.
    """
    if name in TASKS:
        return TASKS[name]
    if name in _IMAGENETS:
        return imagenet_task(_IMAGENETS[name])
    if name.startswith(PREFIX):
        return folder_task(Path(name.removeprefix(PREFIX)))
    if name.startswith(ARRAY):
        return array_task(Path(name.removeprefix(ARRAY)))
    if (array := known_array(name)) is not None:
        return array
    prepared = prepared_task(name)
    if prepared is None:
        raise unknown("task", name, task_names())
    return prepared


def named_task(name: str) -> Task | None:
    """The task that a record's name stands for; None of a folder of the user's, and of what no package here registers."""
    if name in _IMAGENETS:
        return imagenet_task(_IMAGENETS[name])
    return TASKS.get(name)


def usual_digest(name: str, digest: str) -> str:
    """The task's own digest where `digest` is of another split of its images, whose test images are the same; else `digest` itself."""
    task = TASKS.get(name)
    return task.digest if task is not None and digest and digest == task.all_training else digest


def has_units(name: str) -> bool:
    """Whether errors of the task of that name are over larger units than its clusters, so that `relabel` changes something."""
    task = TASKS.get(name)
    return task is not None and task.unit_of is not Task.unit_of


def relabel(name: str, clusters: np.ndarray) -> np.ndarray:
    """The independent unit (N,) of each stored cluster of the task of that name; those of a folder or an unknown task stay as they are.

    Records of schema 1 hold the clusters of the split, newer ones units already; those come back as they are.

    Raises:
        ValueError: a cluster that the task does not have.
    """
    task = TASKS.get(name)
    return clusters if task is None else task.unit_of(clusters)


def _checked(task: Task) -> Task:
    """Raise ValueError where something would only fail later."""
    if min(task.shape) < 1 or not 2 <= task.levels <= MOST_LEVELS:
        found = f"{task.shape} with {task.levels}"
        raise ValueError(f"task '{task.name}': images need positive sizes and 2 to {MOST_LEVELS:,} levels, got {found}")
    if task.name.startswith((PREFIX, ARRAY, "array-")) or task.name in _IMAGENETS:
        raise ValueError(f"task '{task.name}': that name stands for images of a user's")
    return task


for _task in (
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
):
    register_task(_task)
