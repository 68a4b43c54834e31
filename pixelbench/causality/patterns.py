"""Output layouts as einops patterns: which are valid, which fit a shape, and how a module's output becomes (B, K, C, H, W).

Axes: `b` images, `k` parameters of a sub-pixel's distribution, `c` colours, `h` rows, `w` columns. Without `c` one output holds for all
colours of a pixel; without `k` a sub-pixel has one. No torch: einops takes whatever array it is given.
"""

import itertools
import math
import re
from dataclasses import dataclass
from typing import Any

import einops
import numpy as np

from pixelbench.errors import UserError

Size = tuple[int, int, int]

_AXES = {"b": "images", "k": "parameters", "c": "colours", "h": "rows", "w": "columns"}
_HINT = 'A pattern names the output\'s axes in order, such as "b k c h w", "b (k c) h w" or "b (h w c) k".'

#: What is looked for when nobody said: by number of axes, the plainer first. Never transposed: h stands before w.
_USUAL = {
    5: ("b k c h w", "b c k h w", "b c h w k", "b k h w c", "b h w c k", "b h w k c"),
    4: ("b c h w", "b k h w", "b (k c) h w", "b (c k) h w", "b h w c", "b h w k", "b h w (k c)", "b h w (c k)"),
    3: (
        "b h w",
        *("b (h w) k", "b (h w c) k", "b (c h w) k", "b (h w) (k c)", "b (h w) (c k)"),
        *("b k (h w)", "b k (h w c)", "b k (c h w)", "b (k c) (h w)", "b (c k) (h w)"),
    ),
    2: (
        *("b (h w)", "b (h w c)", "b (c h w)", "b (k c h w)", "b (c k h w)", "b (h w c k)", "b (c h w k)"),
        *("(b h w) k", "(b h w c) k", "(b c h w) k"),
    ),
}


@dataclass(frozen=True)
class Layout:
    """A checked pattern; `groups` are its axes, those in parentheses together."""

    pattern: str
    groups: tuple[tuple[str, ...], ...]

    def misfit(self, shape: tuple[int, ...], batch: int, size: Size) -> str | None:
        """Why an output of that shape does not have this layout, as a clause; None where it does. `size` is (C, H, W)."""
        if len(shape) != len(self.groups):
            return f"it has {len(shape)} axes and the pattern {len(self.groups)}"
        known = dict(zip("bchw", (batch, *size), strict=True))
        wrong = []
        for length, group in zip(shape, self.groups, strict=True):
            expected = math.prod(known[axis] for axis in group if axis != "k")
            if length % expected or not length or (length != expected and "k" not in group):
                name, factor = " ".join(group), "a multiple of " if "k" in group else ""
                wrong.append(f"'{name}' is {length} where the images want {factor}{expected}")
        return ", ".join(wrong) or None

    def arrange(self, output: Any, batch: int, size: Size) -> Any:
        """An output that fits → (B, K, C, H, W), a view where that is possible."""
        named = set(itertools.chain(*self.groups))
        lengths = {axis: length for axis, length in zip("bchw", (batch, *size), strict=True) if axis in named or axis == "c"}
        if "k" not in named:
            lengths["k"] = 1
        return einops.repeat(output, f"{self.pattern} -> b k c h w", **lengths)


def parse_pattern(pattern: str) -> Layout:
    """The layout that a pattern describes.

    Raises:
        UserError: it is none.
    """
    tokens = re.findall(r"\w+|\S", pattern)
    groups: list[tuple[str, ...]] = []
    inside: list[str] | None = None
    for token in tokens:
        if token == "(" and inside is None:
            inside = []
        elif token == ")" and inside:
            groups.append(tuple(inside))
            inside = None
        elif not token.isalnum():
            raise _wrong(pattern, "parentheses hold at least one axis, are closed, and never nested" if token in "()" else f"'{token}'")
        elif inside is None:
            groups.append((token,))
        else:
            inside.append(token)
    if inside is not None:
        raise _wrong(pattern, "a parenthesis is not closed")
    axes = list(itertools.chain(*groups))
    _check_axes(pattern, axes)
    return Layout(" ".join(group[0] if len(group) == 1 else f"({' '.join(group)})" for group in groups), tuple(groups))


def fitting(shape: tuple[int, ...], batch: int, size: Size) -> list[str]:
    """The usual patterns that an output of that shape can have. Of two that mean the same (one colour, say) only the first."""
    found: dict[str, np.ndarray] = {}
    numbers = np.arange(math.prod(shape)).reshape(shape)
    for pattern in _USUAL.get(len(shape), ()):
        layout = parse_pattern(pattern)
        if layout.misfit(shape, batch, size) is None:
            arranged = layout.arrange(numbers, batch, size)
            if not any(np.array_equal(arranged, other) for other in found.values()):
                found[pattern] = arranged
    return sorted(found, key=lambda pattern: "c" not in pattern)


def infer_pattern(shape: tuple[int, ...], batch: int, size: Size) -> Layout:
    """The only usual layout that fits.

    Raises:
        UserError: none fits, or several do: then the question, with the candidates to copy.
    """
    candidates = fitting(shape, batch, size)
    if not candidates:
        raise UserError(_none_fits(shape, size))
    if len(candidates) > 1:
        channels = size[0]
        choices = ", ".join(f'--output "{pattern}"{_note(pattern, channels)}' for pattern in candidates)
        raise UserError(
            f"The module's output of shape {shape} can be read in {len(candidates)} ways; say which (in Python: output=…): {choices}."
        )
    return parse_pattern(candidates[0])


def _check_axes(pattern: str, axes: list[str]) -> None:
    unknown = next((axis for axis in axes if axis not in _AXES), None)
    if unknown is not None:
        known = ", ".join(f"{axis} ({meaning})" for axis, meaning in _AXES.items())
        raise _wrong(pattern, f"there is no axis '{unknown}', only {known}")
    twice = next((axis for axis in axes if axes.count(axis) > 1), None)
    if twice is not None:
        raise _wrong(pattern, f"'{twice}' stands there twice")
    missing = [axis for axis in "bhw" if axis not in axes]
    if missing:
        raise _wrong(pattern, f"{' and '.join(f'{axis} ({_AXES[axis]})' for axis in missing)} must be there")


def _wrong(pattern: str, why: str) -> UserError:
    return UserError(f"'{pattern}' is no output pattern: {why}. {_HINT}")


def _note(pattern: str, channels: int) -> str:
    return " (one output for all colours of a pixel)" if channels > 1 and "c" not in pattern else ""


def _none_fits(shape: tuple[int, ...], size: Size) -> str:
    """Most often the spatial size is another one."""
    _, height, width = size
    output, images = f"The module's output of shape {shape}", f"the images have {height} rows and {width} columns"
    if len(shape) not in (4, 5) or shape[-2:] == (height, width) or (height, width) in (shape[1:3], shape[2:4]):
        return f"{output} fits no usual layout for images of (C, H, W) = {size}; say which it has with --output. {_HINT}"
    rows, columns = shape[-2:]
    if (rows, columns) == (width, height):
        return f"{output} has rows and columns swapped: {images}."
    return f"{output} has {rows} rows and {columns} columns where {images}: pad or crop so that the size is kept, or say the layout with --output."
