"""How any module is reached: how images enter it, and how what it returns is laid out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from pixelbench.causality.interface.layout import Layout, check_layout, infer_layout, parse_layout
from pixelbench.causality.interface.parts import only_part, selected
from pixelbench.errors import UserError, first_line, unknown

#: `int`: integers 0 … levels-1; `unit`: floats in [0, 1]; `symmetric`: floats in [-1, 1]; `auto`: what the module takes.
INPUTS = ("auto", "unit", "symmetric", "int")
_TRIAL = 2
#: How images enter: as they are, as vectors or tokens, as codes without a channel, channels last, or as sequences of channels.
ENTERING = ("b c h w", "b (h w c)", "b (c h w)", "b h w", "b h w c", "b c (h w)", "b (h w) c")
#: Single changes that tell which of two conventions moves the module more.
_CHANGES = 3


@dataclass(frozen=True)
class ModuleAdapter:
    """Integer images in, (B, K, C, H, W) out.

    Attributes:
        input: `int`, `unit` or `symmetric`.
        output: the einops pattern of the output.
        entering: the einops pattern of what enters.
        select: the path to the output in what the module returns; None where it is all of it.
    """

    input: str
    output: str
    select: str | None
    shape: tuple[int, int, int]
    levels: int
    dtype: torch.dtype
    layout: Layout = field(repr=False)
    entering: str = "b c h w"

    @property
    def shared(self) -> bool:
        """One output serves all colours of a pixel."""
        return self.shape[0] > 1 and not any("c" in group for group in self.layout.groups)

    def encode(self, images: Tensor) -> Tensor:
        """int64 images (B, C, H, W) → what goes into the module."""
        return laid_out(encode(images, self.input, self.levels, self.dtype), self.entering)

    def arrange(self, raw: Any, batch: int) -> Tensor:
        """The module's output for `batch` images → (B, K, C, H, W).

        Raises:
            UserError: it does not fit.
        """
        output = selected(raw, self.select)
        known = _known(batch, self.shape)
        check_layout(self.layout, output.shape, known)
        return self.layout.arrange(output, known)


def find_adapter(
    call: Callable[[Tensor], Any],
    shape: tuple[int, int, int],
    levels: int,
    *,
    input: str = "auto",
    output: str | None = None,
    select: int | str | None = None,
    input_layout: str | None = None,
    shared: bool = False,
    device: torch.device,
    dtype: torch.dtype,
) -> ModuleAdapter:
    """The adapter that was asked for; what was not asked for is found by trying: a few random images are put through `call`.

    Where integers and floats both run, the convention is taken under which more single changes move the output (a module that turns floats
    into integers hardly answers to floats, one that saturates hardly to large integers), with as many the integers.

    Args:
        shared: one output serves all colours of a pixel.

    Raises:
        UserError: an argument is out of range, nothing runs, or the output does not fit or fits several layouts.
    """
    if input not in INPUTS:
        raise unknown("input convention", input, INPUTS)
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, levels, (_TRIAL, *shape))).to(device)
    trial = _Trial(call, images, levels, dtype, parse_layout(output) if output is not None else None, select, shared)
    names = ("int", "unit") if input == "auto" else (input,)
    if input_layout is not None:
        return _chosen(trial, names, parse_entering(input_layout))
    fault: UserError | None = None
    try:
        return _chosen(trial, names, ENTERING[0])
    except UserError as error:
        fault = error
    fitting, question = _others(trial, names)
    if len(fitting) > 1:
        choices = " or ".join(f'"{adapter.entering}"' for adapter in fitting)
        raise UserError(
            f"How do images enter? The module runs with several layouts of the input; say which with --input-layout: {choices}."
        )
    if fitting:
        return fitting[0]
    raise question if fault.__cause__ is not None and question is not None else fault


@dataclass(frozen=True)
class _Trial:
    """What is tried: a call on a few images, and what is known of its output."""

    call: Callable[[Tensor], Any]
    images: Tensor
    levels: int
    dtype: torch.dtype
    layout: Layout | None
    select: int | str | None
    shared: bool


def _others(trial: _Trial, names: Sequence[str]) -> tuple[list[ModuleAdapter], UserError | None]:
    """The other layouts of the input that run and whose output fits; the first of those that hold the values in the same order.

    And the first question about an output, of those that run.
    """
    question: UserError | None = None
    found: dict[tuple[int, ...], ModuleAdapter] = {}
    shape = trial.images.shape
    numbered = torch.arange(trial.images[0].numel()).reshape(1, *shape[1:])
    for pattern in ENTERING[1:]:
        if "c" not in pattern and shape[1] > 1:
            continue
        order = tuple(laid_out(numbered, pattern).flatten().tolist())
        if order not in found:
            try:
                found[order] = _chosen(trial, names, pattern)
            except UserError as error:
                question = question or (error if error.__cause__ is None else None)
    return list(found.values()), question


def _chosen(trial: _Trial, names: Sequence[str], entering: str) -> ModuleAdapter:
    """The convention under which the module answers most, images laid out as `entering` says.

    Raises:
        UserError: none runs, or the output does not fit.
    """
    images, shape = trial.images, (trial.images.shape[1], trial.images.shape[2], trial.images.shape[3])
    tried = {name: _try(trial.call, laid_out(encode(images, name, trial.levels, trial.dtype), entering)) for name in names}
    running = {name: raw for name, raw in tried.items() if not isinstance(raw, BaseException)}
    if not running:
        raise _nothing_runs(tried, laid_out(images, entering)) from next(iter(tried.values()))
    known = _known(_TRIAL, shape)
    floating = {name: raw for name, raw in running.items() if not isinstance(raw, Tensor) or raw.is_floating_point()}
    adapters = []
    for name, raw in (floating or running).items():  # what gives integers where integers enter may give floats where floats do
        path = str(trial.select) if trial.select is not None else only_part(raw)
        result = selected(raw, path)
        found = trial.layout or infer_layout(result.shape, known, shared=trial.shared)
        check_layout(found, result.shape, known)
        adapters.append(ModuleAdapter(name, found.pattern, path, shape, trial.levels, trial.dtype, found, entering))
    return adapters[0] if len(adapters) == 1 else max(adapters, key=lambda adapter: _answers(trial.call, adapter, images[0]))


def parse_entering(pattern: str) -> str:
    """The pattern of what enters, as einops reads it.

    Raises:
        UserError: it does not place b, c, h and w, or only those with one channel.
    """
    layout = parse_layout(pattern)
    if any("k" in group for group in layout.groups):
        raise UserError(f"--input-layout '{pattern}' has an axis 'k', which an output has; images have b, c, h and w.")
    return layout.pattern


def laid_out(images: Tensor, pattern: str) -> Tensor:
    """(B, C, H, W) → as the pattern says; without c only one channel can enter.

    Raises:
        UserError: there are more.
    """
    if pattern == ENTERING[0]:
        return images
    if "c" in pattern:
        return rearrange(images, f"b c h w -> {pattern}").contiguous()
    if images.shape[1] != 1:
        raise UserError(f"--input-layout '{pattern}' has no 'c', and the images have {images.shape[1]} channels.")
    return rearrange(images[:, 0], f"b h w -> {pattern}").contiguous()


def encode(images: Tensor, convention: str, levels: int, dtype: torch.dtype) -> Tensor:
    """int64 images → int64 (`int`), or `dtype` in [0, 1] (`unit`) or [-1, 1] (`symmetric`)."""
    if convention == "int":
        return images
    unit = images.to(dtype) / (levels - 1)
    return unit if convention == "unit" else 2 * unit - 1


def _try(call: Callable[[Tensor], Any], batch: Tensor) -> Any:
    try:
        return call(batch.clone())  # a module may change in place what enters
    except (Exception, SystemExit) as error:  # whatever a foreign module throws: this convention is not its own
        return error


def _answers(call: Callable[[Tensor], Any], adapter: ModuleAdapter, image: Tensor) -> int:
    """How many of a few single changes move the output at all."""
    rng = np.random.default_rng(1)
    images = image[None].repeat(1 + _CHANGES, 1, 1, 1)
    flat = images.flatten(1)
    for i, place in enumerate(rng.integers(0, max(1, flat.shape[1] // 2), _CHANGES), start=1):
        flat[i, place] = (flat[i, place] + int(rng.integers(1, adapter.levels))) % adapter.levels
    raw = _try(call, adapter.encode(flat.view_as(images)))
    if isinstance(raw, BaseException):
        return -1
    output = adapter.arrange(raw, len(images))
    return int((output[1:] != output[:1]).flatten(1).any(1).sum())


def _nothing_runs(tried: dict[str, Any], images: Tensor) -> UserError:
    said = {name: _message(error) for name, error in tried.items()}
    words = {"int": "integers", "unit": "floats in [0, 1]", "symmetric": "floats in [-1, 1]"}
    if len(said) == 1 or len(set(said.values())) == 1:
        how = " or ".join(words[name] for name in said)
        return UserError(f"The module failed on {how} of shape {tuple(images.shape)}: {next(iter(said.values()))}.")
    both = "; on ".join(f"{words[name]}: {message}" for name, message in said.items())
    return UserError(f"The module failed on images of shape {tuple(images.shape)}, on {both}.")


def _message(error: BaseException) -> str:
    text = first_line(error)
    return f"it ends the program ({text})" if isinstance(error, SystemExit) else text


def _known(batch: int, shape: tuple[int, int, int]) -> dict[str, int]:
    return dict(zip("bchw", (batch, *shape), strict=True))
