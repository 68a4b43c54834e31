"""The tasks by name, and image folders by path."""

from pixelbench.data.cifar import CIFAR10, CIFAR10_16, CIFAR10_GREY
from pixelbench.data.digits import DIGITS
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


def task_names() -> list[str]:
    """Every task that ships, in the order in which reports list them."""
    return list(_TASKS)


def get_task(name: str) -> Task:
    """The task of that name; its images are read only by `Task.load`.

    Raises:
        UserError: no such task; the message names the nearest one.
    """
    if name not in _TASKS:
        raise unknown("task", name, _TASKS)
    return _TASKS[name]
