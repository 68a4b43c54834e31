"""How any module is reached: how images enter it, which part of what it returns is the output, and how that is laid out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from pixelbench.causality.module.distributions import parameters_of
from pixelbench.causality.module.layout import Layout, check_layout, infer_layout, parse_layout
from pixelbench.errors import UserError, first_line, nearest, unknown

#: `int`: integers 0 … levels-1; `unit`: floats in [0, 1]; `symmetric`: floats in [-1, 1]; `auto`: what the module takes.
INPUTS = ("auto", "unit", "symmetric", "int")
_TRIAL = 2
#: How images enter: as they are, as vectors or tokens, as codes without a channel, channels last, or as sequences of channels.
ENTERING = ("b c h w", "b (h w c)", "b (c h w)", "b h w", "b h w c", "b c (h w)", "b (h w) c")
#: Said of a pair of tensors that a flow may have given.
NO_CONDITIONAL = (
    "Where they are a flow's z and its log determinant, neither is a conditional distribution: check the network that gives the shift and "
    "the scale of each sub-pixel."
)
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


def only_part(raw: Any) -> str | None:
    """The path to the one output in what a module returned: a tensor of floats, or a distribution.

    None where it is one itself, or there are several or none.
    """
    if isinstance(raw, Tensor | torch.distributions.Distribution):
        return None
    found = [name for name in _names(raw) if _is_output(_entry(raw, name))]
    return found[0] if len(found) == 1 else None


def _is_output(part: Any) -> bool:
    return isinstance(part, torch.distributions.Distribution) or (isinstance(part, Tensor) and part.is_floating_point())


def encode(images: Tensor, convention: str, levels: int, dtype: torch.dtype) -> Tensor:
    """int64 images → int64 (`int`), or `dtype` in [0, 1] (`unit`) or [-1, 1] (`symmetric`)."""
    if convention == "int":
        return images
    unit = images.to(dtype) / (levels - 1)
    return unit if convention == "unit" else 2 * unit - 1


def part_at(raw: Any, path: str | None) -> Any:
    """What a module returned, or the part of it that the path names.

    Raises:
        UserError: there is no such part.
    """
    for name in path.split(".") if path is not None else ():
        raw = _entry(raw, name)
    return raw


def selected(raw: Any, path: str | None) -> Tensor:
    """The part of what a module returned that `path` names: `0`, `logits`, `0.logits`.

    Raises:
        UserError: there is no such part, or it is no tensor of floats; the message says what is there.
    """
    part = part_at(raw, path)
    if isinstance(part, torch.distributions.Distribution):
        return parameters_of(part)
    if isinstance(part, Tensor):
        if not part.is_floating_point():
            kind = str(part.dtype).removeprefix("torch.")
            raise UserError(f"The module's output is {kind}; it must be floating point: logits, or parameters of a distribution.")
        if not part.dim():
            raise UserError(
                "The module returns one number for the whole batch: that looks like a loss. Check the part that gives logits or parameters "
                "for each sub-pixel."
            )
        return part
    names = _names(part)
    if not names:
        raise UserError(f"The module returned a {type(part).__name__}, not a tensor; check a module that returns the output alone.")
    prefix = f"{path}." if path is not None else ""
    choices = " or ".join(f"--select {prefix}{name}" for name in names)
    of_a_flow = "" if path is not None or not _like_a_flow(part) else f" {NO_CONDITIONAL}"
    kind = f"The module returned a {type(part).__name__} of {len(names)} parts"
    raise UserError(f"{kind}; say which is the output with select: {choices}.{of_a_flow}")


def _like_a_flow(part: Any) -> bool:
    """Two tensors of floats: one like the images, and a number for each of them."""
    if not (isinstance(part, list | tuple) and len(part) == 2 and all(map(_is_output, part))):
        return False
    return isinstance(part[0], Tensor) and isinstance(part[1], Tensor) and part[0].dim() > 1 and part[1].shape == part[0].shape[:1]


def _entry(part: Any, name: str) -> Any:
    if isinstance(part, torch.distributions.Distribution) and (inner := _attribute(part, name)) is not None:
        return inner
    names = _names(part)
    sequence: Any = part if isinstance(part, list | tuple) else ()
    numbered = name.isdecimal() and int(name) < len(sequence)  # a named tuple has both
    if name not in names and not numbered:
        if not names:
            raise UserError(f"Nothing can be selected with '{name}': the module returned a {type(part).__name__} without parts.")
        near = nearest(name, names)
        hint = f" Did you mean '{near}'?" if near else ""
        raise UserError(f"The module's {type(part).__name__} has no part '{name}'.{hint} It has: {', '.join(names)}.")
    if isinstance(part, Mapping):
        return {str(key): value for key, value in part.items()}[name]
    return sequence[int(name)] if numbered else getattr(part, name)


def _names(part: Any) -> list[str]:
    """All that can be selected from it: keys, fields of named tuples and dataclasses, places, or the tensors that an object holds.

    So a `torch.distributions.Categorical` is selected from by `logits`.
    """
    if isinstance(part, Tensor):
        return []
    if isinstance(part, Mapping):
        return [str(key) for key in part]
    fields = getattr(part, "_fields", None) or getattr(part, "__dataclass_fields__", None)
    if fields:
        return list(fields)
    if isinstance(part, list | tuple):
        return [str(index) for index in range(len(part))]
    return [name for name in dir(part) if not name.startswith("_") and isinstance(_attribute(part, name), Tensor)]


def _attribute(part: Any, name: str) -> Any:
    try:
        return getattr(part, name)
    except Exception:  # a property that does not hold for this object, such as the mode of some distributions
        return None


def _try(call: Callable[[Tensor], Any], batch: Tensor) -> Any:
    try:
        return call(batch)
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
