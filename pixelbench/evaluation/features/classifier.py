"""Features of a small classifier that `train_classifier` trained on a task's training labels: the pooled map before its last layer.

The weights ship in `weights/`, float16 in safetensors, beside `classifiers.json`: which tasks each serves, its SHA-256, how it was trained
and what it reaches on test images. Arithmetic is float32 on the CPU. Features of one classifier mean nothing beside those of another, so
whatever is measured in them bears the classifier's name and digest.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from pixelbench.errors import UserError

WEIGHTS = Path(__file__).parent / "weights"
PINNED = "classifiers.json"
#: Output maps of the four convolutions; the last number is the number of features.
WIDTHS = (24, 32, 48, 64)
#: From this side on the first convolution halves the image: the larger tasks cost no more than the small ones.
LARGE_SIDE = 28
#: Images at a time, whatever is asked for, so that a feature does not depend on how many images are measured together.
_CHUNK = 256


@dataclass(frozen=True)
class Pinned:
    """An entry of `classifiers.json`."""

    name: str
    """The task whose training images and labels it saw."""
    tasks: tuple[str, ...]
    """The tasks whose images it takes."""
    channels: int
    side: int
    classes: int
    sha256: str
    """Of the file of weights."""
    test_accuracy: dict[str, float]
    """Task → share of its test images that get the right class."""
    training: dict[str, int]
    """Epochs, seed and the like."""


class Classifier(nn.Module):
    """Four convolutions with batch normalisation, the mean over places, one linear layer.

    Args:
        channels: of the images.
        side: their height and width.
        classes: how many labels there are.
    """

    def __init__(self, channels: int, side: int, classes: int):
        super().__init__()
        strides = (2 if side >= LARGE_SIDE else 1, 1, 2, 2)
        layers: list[nn.Module] = []
        for (before, after), stride in zip(pairwise((channels, *WIDTHS)), strides, strict=True):
            layers += [nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        self.last = nn.Linear(WIDTHS[-1], classes)

    def features(self, values: Tensor) -> Tensor:
        """(B, C, H, W) of -1 … 1 → (B, 64)."""
        return self.convolutions(values).mean((2, 3))

    def forward(self, values: Tensor) -> Tensor:
        """(B, C, H, W) of -1 … 1 → (B, classes) logits."""
        return self.last(self.features(values))


def pinned_for(task_name: str) -> Pinned | None:
    """What ships for a task; None where nothing does."""
    return next((one for one in pinned().values() if task_name in one.tasks), None)


def classifier_features(task_name: str, images: np.ndarray, levels: int) -> np.ndarray:
    """(N, C, H, W) integers 0 … levels-1 → (N, 64) float32.

    Raises:
        UserError: no classifier ships for the task, its file is not the pinned one, or the images have another shape.
    """
    about = pinned_for(task_name)
    if about is None:
        raise UserError(f"No classifier ships for task '{task_name}'; there are some for {', '.join(sorted(_served()))}.")
    if images.shape[1:] != (about.channels, about.side, about.side):
        taken, given = f"{about.channels}x{about.side}x{about.side}", "x".join(map(str, images.shape[1:]))
        raise UserError(f"The classifier '{about.name}' takes images of {taken}, not {given}.")
    net = loaded(about.name)
    with torch.inference_mode():
        return torch.cat([net.features(scaled(torch.from_numpy(part), levels)) for part in _chunks(images)]).numpy()


def accuracy(net: Classifier, images: np.ndarray, labels: np.ndarray, levels: int) -> float:
    """The share of images (N, C, H, W) that get their label (N,)."""
    with torch.inference_mode():
        guessed = torch.cat([net(scaled(torch.from_numpy(part), levels)).argmax(1) for part in _chunks(images)])
    return float((guessed.numpy() == labels).mean())


def scaled(images: Tensor, levels: int) -> Tensor:
    """Integers 0 … levels-1 → float32 -1 … 1."""
    return images.float() * (2 / (levels - 1)) - 1


@cache
def pinned(folder: Path = WEIGHTS) -> dict[str, Pinned]:
    """The classifiers that ship, by name.

    Raises:
        UserError: the list of them cannot be read.
    """
    try:
        entries = json.loads((folder / PINNED).read_text("utf-8"))
        return {name: Pinned(name=name, **{**entry, "tasks": tuple(entry["tasks"])}) for name, entry in entries.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"'{folder / PINNED}' cannot be read ({type(error).__name__}); reinstall pixelbench.") from None


@cache
def loaded(name: str, folder: Path = WEIGHTS) -> Classifier:
    """The classifier of that name, in eval mode.

    Raises:
        UserError: its file is missing, or is not the pinned one.
    """
    about, path = pinned(folder)[name], folder / f"{name}.safetensors"
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({error.strerror}); reinstall pixelbench.") from None
    digest = hashlib.sha256(blob).hexdigest()
    if digest != about.sha256:
        raise UserError(f"'{path}' is damaged: its SHA-256 is {digest[:12]}…, pinned is {about.sha256[:12]}…; reinstall pixelbench.")
    net = Classifier(about.channels, about.side, about.classes)
    try:
        net.load_state_dict({key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in load(blob).items()})
    except (SafetensorError, RuntimeError):
        raise UserError(f"'{path}' holds another network than this version of pixelbench has; reinstall pixelbench.") from None
    return net.eval()


def _served() -> list[str]:
    return [task for one in pinned().values() for task in one.tasks]


def _chunks(images: np.ndarray) -> list[np.ndarray]:
    return [images[first : first + _CHUNK] for first in range(0, len(images), _CHUNK)]
