"""How images go into a module and how its output is read: found out by trying where nobody said."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelbench.causality.patterns import Layout, infer_pattern, parse_pattern
from pixelbench.causality.selection import pick
from pixelbench.errors import UserError, unknown

INPUTS = ("auto", "unit", "symmetric", "int")
_NAMES = {"int": "int64 images", "unit": "floats in [0, 1]", "symmetric": "floats in [-1, 1]"}
_BATCH = 2
#: Single changes by which two conventions that both run are told apart.
_CHANGES = 16
#: Relative; above the rounding of float64, below any response worth the name.
_MOVED = 1e-9

Call = Callable[[Tensor], Any]
Size = tuple[int, int, int]


@dataclass(frozen=True)
class Face:
    """A module's two sides.

    Attributes:
        input: `int` (int64, 0 … levels-1), `unit` (floats in [0, 1]) or `symmetric` (floats in [-1, 1]).
        output: the einops pattern of the output.
        select: the part of a tuple or dict that is the output; None where the module returns a tensor.
    """

    input: str
    output: str
    select: str | None
    shape: Size
    levels: int
    device: torch.device
    dtype: torch.dtype
    layout: Layout

    def encode(self, images: Tensor) -> Tensor:
        """Integer images (B, C, H, W) → what goes into the module."""
        return _encoded(images, self.input, self.levels, self.device, self.dtype)

    def arrange(self, raw: Any, batch: int) -> Tensor:
        """What the module returned for `batch` images → (B, K, C, H, W), in its own dtype.

        Raises:
            UserError: it is not a floating-point tensor of that layout.
        """
        output = _floating(pick(raw, self.select))
        misfit = self.layout.misfit(tuple(output.shape), batch, self.shape)
        if misfit:
            raise UserError(
                f"The module's output of shape {tuple(output.shape)} for {batch} images does not have the layout '{self.output}': "
                f"{misfit}; give another --output, or mend the module."
            )
        return self.layout.arrange(output, batch, self.shape)


def find_face(
    call: Call,
    shape: Size,
    levels: int,
    *,
    input: str = "auto",
    output: str | None = None,
    select: str | int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> Face:
    """Tries the module on random images and settles what was not said.

    Args:
        call: takes a batch as the module wants it, returns what the module returns.
        shape: (C, H, W).
        input: `auto` takes int64 or floats in [0, 1], whichever runs; where both run, the one to whose changes the output responds more.
            Floats in [-1, 1] are never guessed: no trial can tell them from [0, 1], they only change the range that is probed.
        output: an einops pattern; inferred where only one usual one fits.
        select: key or index of the output in a tuple or dict; `0.logits` goes deeper.

    Raises:
        UserError: the module fails, returns something else than a finite-sized floating-point tensor of that layout or holds NaN; or
            what was not said cannot be inferred.
    """
    if input not in INPUTS:
        raise unknown("input convention", input, INPUTS)
    given = parse_pattern(output) if output is not None else None
    part = None if select is None else str(select)
    size, device = (int(shape[0]), int(shape[1]), int(shape[2])), torch.device(device)
    images = torch.from_numpy(np.random.default_rng(0).integers(levels, size=(_BATCH, *size))).to(device)
    faces = []
    for convention, raw in _outputs(call, images, input, levels, dtype).items():
        tensor = _floating(pick(raw, part))
        layout = given or infer_pattern(tuple(tensor.shape), _BATCH, size)
        face = Face(convention, layout.pattern, part, size, levels, device, dtype, layout)
        face.arrange(raw, _BATCH)
        _refuse_nan(tensor)
        faces.append(face)
    return faces[0] if len(faces) == 1 else max(faces, key=lambda face: _responses(call, face))


def _outputs(call: Call, images: Tensor, asked: str, levels: int, dtype: torch.dtype) -> dict[str, Any]:
    """Convention → what the module returned, of those that it took; `int` first, so that it wins a tie."""
    returned, said = {}, {}
    for convention in ("int", "unit") if asked == "auto" else (asked,):
        try:
            returned[convention] = call(_encoded(images, convention, levels, images.device, dtype))
        except Exception as error:
            said[convention] = _first_line(error)
    if not returned:
        raise UserError(_took_none(said, tuple(images.shape)))
    return returned


def _took_none(said: dict[str, str], shape: tuple[int, ...]) -> str:
    if len(set(said.values())) == 1:
        names = " and on ".join(_NAMES[convention] for convention in said)
        return f"The module failed on {names} of shape {shape}: {next(iter(said.values()))}"
    tries = "; ".join(f"on {_NAMES[convention]}: {message}" for convention, message in said.items())
    return f"The module failed on every kind of images of shape {shape} that was tried: {tries}"


def _responses(call: Call, face: Face) -> int:
    """How many of some single random changes move any output."""
    random = np.random.default_rng(1)
    images = np.repeat(random.integers(face.levels, size=(1, *face.shape)), 1 + _CHANGES, 0)
    flat = images.reshape(len(images), -1)
    places = random.integers(flat.shape[1], size=_CHANGES)
    rows = 1 + np.arange(_CHANGES)
    flat[rows, places] = (flat[rows, places] + random.integers(1, face.levels, size=_CHANGES)) % face.levels
    outputs = face.arrange(call(face.encode(torch.from_numpy(images))), len(images)).flatten(1)
    change = (outputs[1:] - outputs[:1]).nan_to_num(0.0).abs().amax(1)
    return int((change > _MOVED * outputs[0].nan_to_num(0.0).abs().max()).sum())


def _encoded(images: Tensor, convention: str, levels: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    if convention == "int":
        return images.to(device, torch.int64)
    unit = images.to(device, dtype) / (levels - 1)
    return unit if convention == "unit" else 2 * unit - 1


def _floating(output: Tensor) -> Tensor:
    if not output.is_floating_point():
        kind = str(output.dtype).removeprefix("torch.")
        raise UserError(
            f"The module's output is {kind}; what can be checked are real numbers such as logits, log-probabilities or a "
            "distribution's parameters, before any sampling or argmax."
        )
    return output


def _refuse_nan(output: Tensor) -> None:
    if bool(output.isnan().any()):
        raise UserError("The module's output holds NaN, which cannot be compared; mend that first, then check causality.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
