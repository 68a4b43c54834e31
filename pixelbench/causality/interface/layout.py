"""Where a module's output holds the parameters of each sub-pixel: einops patterns, checked, applied, and found out from sizes.

Axes: `b` images, `k` parameters (logits, mixture parameters), `c` colours, `h` rows, `w` columns. Without `c` one output serves all
colours of a pixel; without `k` there is one parameter a sub-pixel.
"""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from einops import rearrange
from torch import Tensor, from_numpy

from pixelbench.errors import UserError

EXAMPLES = '"b k c h w", "b (k c) h w", "b (c k) h w", "b h w c k", "b k h w"'
#: Of outputs whose images come later, or are one axis with the places.
EXAMPLES_ELSEWHERE = '"(h w) b k", "(b h w) k"'
_AXES = "bkchw"
#: The layouts in use, by number of axes of the output; the most usual first.
_USUAL = {
    5: ("b k c h w", "b c k h w", "b h w c k", "b h w k c", "b c h w k"),
    4: ("b (k c) h w", "b (c k) h w", "b k h w", "b c h w", "b h w (c k)", "b h w (k c)", "b h w k", "b h w c"),
    3: (
        *("b (h w c) k", "b (c h w) k", "b (h w) (c k)", "b (h w) (k c)", "b (h w) k"),
        *("b k (h w)", "b (c k) (h w)", "b (k c) (h w)", "b h w"),
    ),
    2: ("b (h w c)", "b (c h w)", "b (h w)"),
}


@dataclass(frozen=True)
class Layout:
    """A pattern and its axes, group by group: `b (k c) h w` is (("b",), ("k", "c"), ("h",), ("w",))."""

    pattern: str
    groups: tuple[tuple[str, ...], ...]

    def parameters(self, sizes: Sequence[int], known: dict[str, int]) -> int | None:
        """How many parameters a sub-pixel has where an output of these sizes fits, otherwise None; `known` has b, c, h and w."""
        if len(sizes) != len(self.groups):
            return None
        axes = [(group, size, _size(group, known)) for group, size in zip(self.groups, sizes, strict=True)]
        if not all(_fits(*axis) for axis in axes):
            return None
        return next((size // rest for group, size, rest in axes if "k" in group), 1)

    def arrange(self, output: Tensor, known: dict[str, int]) -> Tensor:
        """(B, K, C, H, W), a view where possible; the sizes must fit."""
        named = {axis: known[axis] for group in self.groups for axis in group if axis != "k"}
        target = " ".join(axis for axis in _AXES if any(axis in group for group in self.groups))
        arranged = rearrange(output, f"{self.pattern} -> {target}", **named)
        arranged = arranged if "k" in target else arranged.unsqueeze(1)
        return arranged if "c" in target else arranged.unsqueeze(2).expand(-1, -1, known["c"], -1, -1)


def parse_layout(pattern: str) -> Layout:
    """The layout of a pattern.

    Raises:
        UserError: unknown, repeated or missing axes, or parentheses that do not close or are nested.
    """
    tokens: list[str] = re.findall(r"\([^()]*\)|[^\s()]+|[()]", pattern)
    groups: tuple[tuple[str, ...], ...] = tuple(tuple(token.strip("()").split()) for token in tokens)
    axes = list(itertools.chain.from_iterable(groups))
    fault = ""
    if any(token in "()" for token in tokens) or () in groups:
        fault = "its parentheses are nested, empty or not closed"
    elif strange := [axis for axis in axes if axis not in _AXES or len(axis) > 1]:
        fault = f"it has an axis '{strange[0]}'"
    elif twice := [axis for axis in _AXES if axes.count(axis) > 1]:
        fault = f"it has '{twice[0]}' twice"
    elif lost := [axis for axis in "bhw" if axis not in axes]:
        fault = f"it has no '{lost[0]}'"
    if fault:
        raise UserError(
            f"Output pattern '{pattern}' does not say where b (images), k (parameters), c (colours), h and w are: {fault}. "
            f"Examples: {EXAMPLES}."
        )
    return Layout(" ".join(f"({' '.join(group)})" if len(group) > 1 else "".join(group) for group in groups), groups)


def infer_layout(sizes: Sequence[int], known: dict[str, int], *, shared: bool = False) -> Layout:
    """The one usual layout that an output of these sizes fits; of `shared` ones, where one output serves all colours of a pixel.

    Raises:
        UserError: none fits, or several do that mean different things: then it asks, and lists them.
    """
    usual = [layout for layout in _usual(len(sizes)) if not (shared and any("c" in group for group in layout.groups))]
    fitting = _distinct([layout for layout in usual if layout.parameters(sizes, known) is not None], sizes, known)
    if len(fitting) == 1:
        return fitting[0]
    shape = f"{tuple(sizes)}"
    if not fitting:
        raise UserError(f"The module returned {shape} for {known['b']} images: {_incompatibility(sizes, known)}.")
    choices = " or ".join(f'"{layout.pattern}"' for layout in fitting)
    meaning = " (without c: one output for all colours of a pixel)" if any("c" not in layout.pattern for layout in fitting) else ""
    mixture = known["c"] == 3 and any((layout.parameters(sizes, known) or 1) % 10 == 0 for layout in fitting if "c" not in layout.pattern)
    offer = ", or --head logistic-mixture where these are its parameters" if mixture else ""
    raise UserError(f"How is the output {shape} laid out? Say it with output, on the command line --output: {choices}{meaning}{offer}.")


def fitting_layouts(sizes: Sequence[int], known: dict[str, int]) -> list[Layout]:
    """All usual layouts that an output of these sizes fits, one of those that mean the same."""
    return _distinct([layout for layout in _usual(len(sizes)) if layout.parameters(sizes, known) is not None], sizes, known)


def check_layout(layout: Layout, sizes: Sequence[int], known: dict[str, int]) -> None:
    """Nothing where an output of these sizes fits.

    Raises:
        UserError: it does not.
    """
    if layout.parameters(sizes, known) is None:
        apart = ("h",) in layout.groups and ("w",) in layout.groups
        why = (_wrong_sides(sizes, known) if apart else "") or _wrong_axis(layout, sizes, known)
        raise UserError(
            f"The module returned {tuple(sizes)} for {known['b']} images, "
            f"which does not fit '{layout.pattern}' with {_named(known)}: {why}."
        )


def _usual(axes: int) -> list[Layout]:
    return [parse_layout(pattern) for pattern in _USUAL.get(axes, ())]


def _distinct(layouts: list[Layout], sizes: Sequence[int], known: dict[str, int]) -> list[Layout]:
    """One of those that give the same arrangement: with one colour, "b (k c) h w" is "b k h w". The shortest pattern stands for all."""
    one = {**known, "b": 1}
    where = np.arange(math.prod(sizes[1:])).reshape(1, *sizes[1:])
    found: dict[bytes, Layout] = {}
    for layout in layouts:
        key = np.ascontiguousarray(_arranged(layout, where, one)).tobytes()
        if key not in found or len(layout.pattern) < len(found[key].pattern):
            found[key] = layout
    return list(found.values())


def _arranged(layout: Layout, where: np.ndarray, known: dict[str, int]) -> np.ndarray:
    return layout.arrange(from_numpy(where), known).numpy()


def _incompatibility(sizes: Sequence[int], known: dict[str, int]) -> str:
    """The likely error where no layout was given, as the end of a sentence."""
    if not sizes or sizes[0] != known["b"]:
        elsewhere = known["b"] in sizes[1:] or (sizes and sizes[0] % math.prod(known[axis] for axis in "bhw") == 0)
        if not elsewhere:
            return f"its first axis must be the {known['b']} images"
        return f"its first axis is not the {known['b']} images; {_say_which(EXAMPLES_ELSEWHERE)}"
    return _wrong_sides(sizes, known) or f"no usual layout has these sizes; {_say_which(EXAMPLES)}"


def _say_which(examples: str) -> str:
    return f"say which it is with output, on the command line --output, for example {examples}"


def _wrong_sides(sizes: Sequence[int], known: dict[str, int]) -> str:
    """The error in rows and columns that have axes of their own; empty where nothing is seen."""
    height, width = known["h"], known["w"]
    if len(sizes) in (4, 5) and (height not in sizes[1:] or width not in sizes[1:]):
        return f"it has not the {height} rows and {width} columns of the images; check padding and strides, and that height comes first"
    if height != width and (width, height) in itertools.pairwise(sizes[1:]):
        return "height and width are swapped"
    return ""


def _wrong_axis(layout: Layout, sizes: Sequence[int], known: dict[str, int]) -> str:
    """The first axis that does not fit the pattern, or that there are too many or too few."""
    if len(sizes) != len(layout.groups):
        return f"it has {len(sizes)} axes, not {len(layout.groups)}"
    axes = [(group, size, _size(group, known)) for group, size in zip(layout.groups, sizes, strict=True)]
    group, size, rest = next(axis for axis in axes if not _fits(*axis))
    return f"its axis '{' '.join(group)}' has {size} entries, not {'a multiple of ' if 'k' in group else ''}{rest}"


def _size(group: tuple[str, ...], known: dict[str, int]) -> int:
    """Without its parameters."""
    return math.prod(known[axis] for axis in group if axis != "k")


def _fits(group: tuple[str, ...], size: int, rest: int) -> bool:
    return size > 0 and size % rest == 0 if "k" in group else size == rest


def _named(known: dict[str, int]) -> str:
    return ", ".join(f"{axis}={known[axis]}" for axis in "bchw")
