"""Every option of a check in one object: what is certified, how the module is reached, on which images, and for how long."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pixelbench.errors import UserError, video_shape
from pixelbench.levels import MOST_LEVELS

#: See `check_causality`.
DEFAULT_BASES = ("zeros", "random", "joint", "extremes")


@dataclass(frozen=True)
class Options:
    """The keyword arguments of `check_causality`, which says what they mean.

    Raises:
        UserError: one is out of range.
    """

    levels: int = 256
    input: str = "auto"
    output: str | None = None
    select: int | str | None = None
    input_layout: str | None = None
    head: str | Callable | None = None
    args: Mapping[str, float] | None = None
    positions: Sequence[int] | np.ndarray | None = None
    bases: Sequence[str] = DEFAULT_BASES
    images: np.ndarray | None = None
    order: str | Sequence[int] = "raster"
    allow_state: bool = False
    seed: int = 0
    mode: str = "eval"
    seconds: float | None = None
    after_step: bool = False

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise UserError(f"levels must be at least 2, or no value can be changed; got {self.levels}.")
        if self.levels > MOST_LEVELS:
            raise UserError(f"levels must be at most {MOST_LEVELS:,}; got {self.levels:,}.")
        if self.mode not in ("eval", "train"):
            raise UserError(f"mode must be 'eval' or 'train'; got '{self.mode}'.")
        if self.seconds is not None and not self.seconds > 0:
            raise UserError(f"seconds must be more than 0; got {self.seconds}.")
        if all(name == "joint" for name in self.bases):
            raise UserError("bases must name at least one of zeros, maximum and random.")
        if isinstance(self.order, str) and self.order not in ("raster", "any"):
            raise UserError(f"order must be 'raster', 'any' or the places in the order of drawing; got '{self.order}'.")

    def sized(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """(C, H, W), after images and order were compared with it.

        Raises:
            UserError: it is no shape, or they are of another.
        """
        if len(shape) in (1, 2) and min(shape) > 0:  # a sequence: (T,), or (C, T)
            shape = (shape[0] if len(shape) == 2 else 1, 1, shape[-1])
        if len(shape) == 4:
            raise video_shape(shape)
        if len(shape) != 3 or min(shape) < 1:
            raise UserError(f"shape must be (channels, height, width), each at least 1; got {tuple(shape)}.")
        channels, height, width = (int(entry) for entry in shape)
        total = channels * height * width
        if not isinstance(self.order, str) and sorted(self.order) != list(range(total)):
            raise UserError(f"order must hold each raster place from 0 to {total - 1} once; it has {len(self.order)} entries.")
        if self.images is not None:
            self._check_images(channels, height, width)
        return channels, height, width

    def places(self, total: int) -> np.ndarray:
        """The raster places whose inputs are changed, ascending.

        Raises:
            UserError: one lies outside, or there is none.
        """
        places = np.arange(total) if self.positions is None else np.unique(np.asarray(self.positions, dtype=np.int64))
        if not len(places) or places[0] < 0 or places[-1] >= total:
            raise UserError(f"positions must be raster places from 0 to {total - 1}, at least one.")
        return places

    def _check_images(self, channels: int, height: int, width: int) -> None:
        images = np.asarray(self.images)
        if images.ndim != 4 or images.shape[1:] != (channels, height, width) or not len(images):
            raise UserError(f"images must be (N, {channels}, {height}, {width}), at least one; got {images.shape}.")
        if images.min() < 0 or images.max() >= self.levels:
            raise UserError(f"images must have values from 0 to {self.levels - 1}; they have {images.min()} to {images.max()}.")
