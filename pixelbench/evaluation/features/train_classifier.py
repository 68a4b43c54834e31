"""`python -m pixelbench.evaluation.features.train_classifier TASK`: train a task's classifier, and pin its weights in `classifiers.json`.

One thread, one seed, float32 on the CPU. The test images are used for nothing but the accuracy that is stated. MNIST's classifier serves
the grey images and the binarised ones: of each batch half the images are drawn, each pixel 1 with its grey value as probability, as in
`mnist-dynamic`; the published fixed binarisation has no labels of its own.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from safetensors.torch import save
from torch import Tensor

from pixelbench.data import get_task
from pixelbench.data.task import Split, Task
from pixelbench.errors import UserError
from pixelbench.evaluation.features.classifier import PINNED, WEIGHTS, Classifier, accuracy, pinned, scaled
from pixelbench.files.atomic import write_bytes, write_json

#: Task → the others that its classifier serves.
ALSO_SERVES = {"mnist": ("mnist-fixed", "mnist-dynamic", "mnist-threshold")}
#: Of those, the ones with labels, on which it is tried as well.
ALSO_TRIED = {"mnist": ("mnist-dynamic", "mnist-threshold")}
#: Tasks whose training images are half drawn, 1 with their grey value as probability.
HALF_DRAWN = ("mnist",)
#: Tasks whose images may be mirrored; a digit may not.
MIRRORED = ("fashion-mnist", "cifar10", "cifar10-16")
BATCH, PEAK_RATE, WEIGHT_DECAY = 64, 0.004, 0.01
#: An image is moved by up to this part of its side: not at all where it is 8 pixels wide and filled.
REACH = 16
#: Small enough to be run again in a minute or two.
EPOCHS = {"digits": 40, "mnist": 2, "fashion-mnist": 4, "cifar10": 5, "cifar10-16": 8}


def main(
    task: Annotated[str, typer.Argument(metavar="TASK", help=f"One of {', '.join(EPOCHS)}.")],
    epochs: Annotated[int | None, typer.Option(min=1, help="How often each training image is seen.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of initial weights, order and shifts.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the weights and of classifiers.json.")] = WEIGHTS,
) -> None:
    """Train the classifier of a task's labels, and write its weights and what it reaches."""
    try:
        if task not in EPOCHS:
            raise UserError(f"No classifier is trained for '{task}'; known: {', '.join(EPOCHS)}.")
        typer.echo(pin(task, epochs or EPOCHS[task], seed, out))
    except UserError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def pin(name: str, epochs: int, seed: int, folder: Path) -> str:
    """Train, write the weights and their entry, and say what was reached."""
    task = get_task(name)
    net = rounded(train(task, epochs, seed))
    blob = save({key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in net.state_dict().items()})
    reached = {one: _tried(net, one) for one in (name, *ALSO_TRIED.get(name, ()))}
    entries = {one.name: {key: value for key, value in vars(one).items() if key != "name"} for one in _pinned_in(folder)}
    entries[name] = {
        "tasks": [name, *ALSO_SERVES.get(name, ())],
        "channels": task.channels,
        "side": task.height,
        "classes": task.classes,
        "sha256": hashlib.sha256(blob).hexdigest(),
        "test_accuracy": reached,
        "training": {"epochs": epochs, "seed": seed, "batch": BATCH},
    }
    write_bytes(folder / f"{name}.safetensors", blob)
    write_json(folder / PINNED, entries)
    return f"{name}: {', '.join(f'{share:.2%} on {one}' for one, share in reached.items())}; {len(blob):,} bytes"


def train(task: Task, epochs: int, seed: int) -> Classifier:
    """Train on the labels of the training images by AdamW with one cycle of the learning rate; returns the network in eval mode."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    split = task.load().train
    net = Classifier(task.channels, task.height, task.classes)
    optimiser = torch.optim.AdamW(net.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY)
    updates = epochs * (len(split) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, updates)
    for values, labels in _batches(task, split, epochs):
        optimiser.zero_grad()
        F.cross_entropy(net(values), labels).backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def rounded(net: Classifier) -> Classifier:
    """The network with the float16 values that are stored."""
    net.load_state_dict({key: tensor.half().float() if tensor.is_floating_point() else tensor for key, tensor in net.state_dict().items()})
    return net


def _batches(task: Task, split: Split, epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of -1 … 1 (B, C, H, W), changed as the task allows, and their labels (B,)."""
    assert split.labels is not None, "a task with a classifier has labels"
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for first in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[first : first + BATCH]
            values = scaled(images[chosen], task.levels)
            values = _half_drawn(values) if task.name in HALF_DRAWN else values
            values = _moved(values, task.height // REACH)
            yield _half_mirrored(values) if task.name in MIRRORED else values, labels[chosen]


def _half_drawn(values: Tensor) -> Tensor:
    half = len(values) // 2
    return torch.cat([2 * torch.bernoulli((values[:half] + 1) / 2) - 1, values[half:]])


def _half_mirrored(values: Tensor) -> Tensor:
    half = len(values) // 2
    return torch.cat([values[:half].flip(3), values[half:]])


def _moved(values: Tensor, reach: int) -> Tensor:
    """Each image (B, C, H, W) moved by -reach … reach pixels each way; the lowest value comes in."""
    n, _, height, width = values.shape
    padded = F.pad(values, (reach,) * 4, value=-1.0)
    down, right = torch.randint(0, 2 * reach + 1, (2, n))
    rows, columns = down[:, None] + torch.arange(height), right[:, None] + torch.arange(width)
    moved = padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (B, H, W, C)
    return moved.permute(0, 3, 1, 2)


def _tried(net: Classifier, name: str) -> float:
    task = get_task(name)
    test = task.load().test
    assert isinstance(test.labels, np.ndarray), "a task with a classifier has labels"
    return round(accuracy(net, test.images, test.labels, task.levels), 4)


def _pinned_in(folder: Path):
    return pinned(folder).values() if (folder / PINNED).is_file() else ()


if __name__ == "__main__":
    typer.run(main)
