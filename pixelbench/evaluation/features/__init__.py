"""Features of images, in which samples are held against real ones: ours, and those that other packages register. No torch by itself.

A measure is of a feature set and always named with it, `kid/random-conv`: numbers of different features have nothing to do with each other.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pixelbench.errors import UserError, first_line, unknown
from pixelbench.registration import Registry

Extract = Callable[[np.ndarray, int], np.ndarray]


class AboutImages(Protocol):
    """What decides the features of a task's images: `pixelbench.data.Task` and the task of a record are such."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...


@dataclass(frozen=True)
class FeatureSet:
    """A map from images of one shape to vectors, the same on every machine but for rounding."""

    name: str
    dimension: int
    digest: str
    """SHA-256 of all that decides its values: weights, or the definition where it has none."""
    function: Extract
    """From integers (N, C, H, W) of 0 … levels-1, N >= 1, and the number of levels to (N, dimension)."""

    def extract(self, images: np.ndarray, levels: int) -> np.ndarray:
        """(N, C, H, W) integers 0 … levels-1 → (N, dimension) float64.

        Raises:
            ValueError: no images, or a value outside 0 … levels-1.
            UserError: features of another package raise, or are not finite vectors of that dimension.
        """
        if images.ndim != 4 or len(images) == 0:
            raise ValueError(f"images must be (N, C, H, W) with N >= 1, got {images.shape}")
        if images.min() < 0 or images.max() >= levels:
            raise ValueError(f"images must hold 0 to {levels - 1}, got {images.min()} to {images.max()}")
        try:
            found = np.asarray(self.function(images, levels), np.float64)
        except UserError:
            raise
        except Exception as error:  # whatever somebody else's function does
            if FEATURES.is_own(self.name):
                raise
            raise UserError(f"The features '{self.name}' raised {type(error).__name__}: {first_line(error)}.") from error
        if found.shape != (len(images), self.dimension) or not np.isfinite(found).all():
            wanted = f"{len(images)} finite vectors of {self.dimension} numbers"
            raise UserError(f"The features '{self.name}' must be {wanted}; their shape is {found.shape}.")
        return found


@dataclass(frozen=True)
class FeatureKind:
    """A feature set by name, before it is known of which images."""

    name: str
    meaning: str
    """What it is, as a part of a sentence."""
    build: str
    """`module:function`, imported when needed, from a task to its `FeatureSet`; UserError where there is none for such images."""


FEATURES: Registry[FeatureKind] = Registry("feature set", "pixelbench.features")


def register_features(name: str, *, meaning: str, build: str, module: str) -> None:
    """Make a feature set known by name.

    Args:
        name: what `--features` calls it.
        meaning, build: see `FeatureKind`.
        module: who registers it.

    Raises:
        UserError: the name is taken, or is none.
    """
    FEATURES.add(name, FeatureKind(name, meaning, build), module)


def feature_set(name: str, task: AboutImages) -> FeatureSet:
    """The feature set of that name for a task's images.

    Raises:
        UserError: no such features, or none for such images; the message says why.
    """
    kind = FEATURES.get(name)
    if kind is None:
        raise unknown("feature set", name, FEATURES)
    module, _, function = kind.build.partition(":")
    try:
        return getattr(importlib.import_module(module), function)(task)
    except UserError:
        raise
    except Exception as error:  # whatever somebody else's module does
        if FEATURES.is_own(name):
            raise
        raise UserError(f"The features '{name}' cannot be had ({type(error).__name__}: {first_line(error)}).") from error


_HERE = "pixelbench.evaluation.features"
register_features("pixels", meaning="the values themselves, scaled to 0 … 1", build=f"{_HERE}.pixels:pixel_features", module=_HERE)
register_features(
    "random-conv",
    meaning="a small convolution network with fixed random weights, which needs no labels",
    build=f"{_HERE}.random_conv:random_conv_features",
    module=_HERE,
)
register_features(
    "classifier",
    meaning="a small classifier that was trained on the labels of the task's training images",
    build=f"{_HERE}.of_classifier:features_of_classifier",
    module=_HERE,
)
register_features(
    "inception",
    meaning="Inception V3 with the user's file of weights, through torch-fidelity",
    build=f"{_HERE}.inception:inception_features",
    module=_HERE,
)
