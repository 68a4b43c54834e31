"""The recurrence of an LSTM over an image, many places a step, forwards and backwards by hand.

A step computes the states of neighbouring places from the hidden states of the step before, in D passes at once. All states are in one
long row of *slots*: block after block, each with the places of a step and room for initial states beyond their ends. A place reads `taps`
slots side by side in the block before, and nothing is moved from step to step. Which slots these are is a `Walk`.

Every operation of a step is about small tensors, so that what counts is how many there are, views included, and that each runs along
memory: maps come first, then places in the order of the walk, then images; derivatives are written out instead of recorded one by one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pixelbench.models.heads import autocasts, without_autocast


class Walk(NamedTuple):
    """The steps over an image.

    Attributes:
        steps: (read, write, count) of each: so many places, of which the first reads from slot `read` on and is itself slot `write`.
        slots: how many there are; those in `initial` hold the learned state, others that are no place's hold 0.
        taps: slots that a place reads, side by side.
        own: the one of them whose cell state goes on.
    """

    steps: tuple[tuple[int, int, int], ...]
    slots: int
    initial: tuple[int, ...]
    taps: int
    own: int

    def counts(self) -> list[int]:
        """Places of each step."""
        return [count for *_, count in self.steps]

    def places(self) -> list[int]:
        """The slots of the places, in the order of the walk."""
        return [slot for _, write, count in self.steps for slot in range(write, write + count)]


def scan(inputs: Tensor, weights: Tensor, state: Tensor, first_hidden: Tensor, first_cell: Tensor, walk: Walk) -> Tensor:
    """The hidden states of D passes with weights of their own.

    Args:
        inputs: (D, I, places, B), places in the order of the walk.
        weights: (D, I, 4h), input-to-state of output, forget, input gate and content.
        state: (D, taps * h, 4h), state-to-state.
        first_hidden, first_cell: (D, h), the initial states.
        walk: the steps, the same of all passes.

    Returns:
        (D, h, slots, B), in the precision of the initial states. It has first derivatives only.
    """
    return _Scan.apply(inputs, weights, state, first_hidden, first_cell, walk)


class _Scan(torch.autograd.Function):
    """`scan`. Under autocast products and gates are of low precision, cell and hidden states are not."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *tensors, walk = arguments
        inputs, weights, state, first_hidden, first_cell = tensors
        low = precision_of_products(inputs)
        inputs, weights, state = inputs.flatten(2).to(low), weights.to(low), state.to(low)
        hidden, *kept = _forwards(inputs, weights, state, first_hidden, first_cell, *_numbers(walk))
        ctx.walk, ctx.kinds = walk, [tensor.dtype for tensor in tensors]
        ctx.save_for_backward(inputs, weights, state, *kept)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        inputs, weights, state, gates, read, cells, squashed = ctx.saved_tensors
        by_gates, by_state, *by_initial = _backwards(grad, state, gates, read, cells, squashed, *_numbers(ctx.walk))
        by_inputs = torch.bmm(weights, by_gates).unflatten(2, (-1, grad.shape[3])) if ctx.needs_input_grad[0] else None
        found = (by_inputs, torch.bmm(inputs, by_gates.mT), by_state, *by_initial)
        return *(None if by is None else by.to(kind) for by, kind in zip(found, ctx.kinds, strict=True)), None


# Two operators of torch's own kind, so that a compiler or the `meta` device sees one operation with outlines, and not thousands.


@torch.library.custom_op("pixelbench::scan_forwards", mutates_args=())
def _forwards(
    inputs: Tensor,
    weights: Tensor,
    state: Tensor,
    first_hidden: Tensor,
    first_cell: Tensor,
    steps: Sequence[int],
    slots: int,
    initial: Sequence[int],
    taps: int,
    own: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Hidden states (D, h, slots, B); gates, what was read, cell states and their tanh."""
    walk = _walk(steps, slots, initial, taps, own)
    maps, batch = first_cell.shape[1], inputs.shape[2] // sum(walk.counts())
    with without_autocast(inputs.device.type):
        gates = torch.bmm(weights.mT, inputs)
        hidden, cells = _slots(first_hidden, walk, batch), _slots(first_cell, walk, batch)
        read = gates.new_empty(len(gates), taps, maps, gates.shape[2])
        squashed = hidden.new_empty(len(gates), maps, gates.shape[2])
        whole = (gates, gates[:, : 3 * maps], *gates.chunk(4, 1), read, read.flatten(1, 2), squashed)
        for (first, write, count), parts in zip(walk.steps, _by_step(walk, batch, *whole), strict=True):
            drive, switches, out, keep, take, content, read_by_tap, read_here, squashed_here = parts
            read_by_tap.copy_(_windows(hidden, taps, first * batch, count * batch, batch))
            drive.baddbmm_(state.mT, read_here)
            switches.sigmoid_()
            content.tanh_()
            cell = cells.narrow(2, write * batch, count * batch)
            torch.mul(cells.narrow(2, (first + own) * batch, count * batch), keep, out=cell)
            _add_product(cell, take, content)
            torch.tanh(cell, out=squashed_here)
            torch.mul(out, squashed_here, out=hidden.narrow(2, write * batch, count * batch))
    return hidden.view(*hidden.shape[:2], slots, batch), gates, read.flatten(1, 2), cells, squashed


@_forwards.register_fake
def _(
    inputs: Tensor,
    weights: Tensor,
    state: Tensor,
    first_hidden: Tensor,
    first_cell: Tensor,
    steps: Sequence[int],
    slots: int,
    initial: Sequence[int],
    taps: int,
    own: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    (passes, maps), columns = first_cell.shape, inputs.shape[2]
    batch = columns // sum(steps[2::3])
    return (
        first_cell.new_empty(passes, maps, slots, batch),
        inputs.new_empty(passes, 4 * maps, columns),
        inputs.new_empty(passes, taps * maps, columns),
        first_cell.new_empty(passes, maps, slots * batch),
        first_cell.new_empty(passes, maps, columns),
    )


@torch.library.custom_op("pixelbench::scan_backwards", mutates_args=())
def _backwards(
    grad: Tensor,
    state: Tensor,
    gates: Tensor,
    read: Tensor,
    cells: Tensor,
    squashed: Tensor,
    steps: Sequence[int],
    slots: int,
    initial: Sequence[int],
    taps: int,
    own: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Derivatives by the drives of all gates, by state-to-state, by the first hidden and cell states."""
    walk = _walk(steps, slots, initial, taps, own)
    passes, maps, _, batch = grad.shape
    by_hidden, by_cells = grad.flatten(2).clone(memory_format=torch.contiguous_format), torch.zeros_like(cells)
    by_gates = torch.empty_like(gates)
    whole = (squashed, gates[:, : 3 * maps], *gates.chunk(4, 1))
    by_whole = (by_gates, by_gates[:, : 3 * maps], *by_gates.chunk(4, 1))
    by_step = list(zip(walk.steps, _by_step(walk, batch, *whole), _by_step(walk, batch, *by_whole), strict=True))
    with without_autocast(grad.device.type):
        for (first, write, count), parts, by_parts in reversed(by_step):
            squashed_here, switches, out, keep, take, content = parts
            by_drive, by_switches, by_out, by_keep, by_take, by_content = by_parts
            here, before, size = write * batch, (first + own) * batch, count * batch
            by_state_here, by_cell = by_hidden.narrow(2, here, size), by_cells.narrow(2, here, size)
            by_cell.add_(torch.ops.aten.tanh_backward(by_state_here * out, squashed_here))
            torch.mul(by_state_here, squashed_here, out=by_out)
            torch.mul(by_cell, cells.narrow(2, before, size), out=by_keep)
            torch.mul(by_cell, content, out=by_take)
            torch.mul(by_cell, take, out=by_content)
            torch.mul(by_cell, keep, out=by_cells.narrow(2, before, size))
            torch.ops.aten.sigmoid_backward.grad_input(by_switches, switches, grad_input=by_switches)
            torch.ops.aten.tanh_backward.grad_input(by_content, content, grad_input=by_content)
            by_taps = torch.bmm(state, by_drive).view(passes, taps, maps, size).unbind(1)
            for tap, by_tap in enumerate(by_taps):
                by_hidden.narrow(2, (first + tap) * batch, size).add_(by_tap)
        by_state = torch.bmm(by_gates, read.mT).mT.contiguous()
    return by_gates, by_state, _by_initial(by_hidden, walk), _by_initial(by_cells, walk)


@_backwards.register_fake
def _(
    grad: Tensor,
    state: Tensor,
    gates: Tensor,
    read: Tensor,
    cells: Tensor,
    squashed: Tensor,
    steps: Sequence[int],
    slots: int,
    initial: Sequence[int],
    taps: int,
    own: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.empty_like(gates), torch.empty_like(state), cells.new_empty(grad.shape[:2]), cells.new_empty(grad.shape[:2])


def _numbers(walk: Walk) -> tuple[list[int], int, tuple[int, ...], int, int]:
    """As operators take it."""
    return [number for step in walk.steps for number in step], walk.slots, walk.initial, walk.taps, walk.own


def _walk(steps: Sequence[int], slots: int, initial: Sequence[int], taps: int, own: int) -> Walk:
    """From `_numbers`."""
    return Walk(tuple(zip(steps[::3], steps[1::3], steps[2::3], strict=True)), slots, tuple(initial), taps, own)


def precision_of_products(x: Tensor) -> torch.dtype:
    """As autocast has it for matrix products."""
    kind = x.device.type
    casts = autocasts(kind) and x.dtype != torch.float64
    return torch.get_autocast_dtype(kind) if casts else x.dtype


def _slots(initial: Tensor, walk: Walk, batch: int) -> Tensor:
    """(D, h) → (D, h, slots * B)."""
    slots = initial.new_zeros(*initial.shape, walk.slots)
    slots[:, :, list(walk.initial)] = initial[:, :, None]
    return slots.repeat_interleave(batch, 2)


def _by_initial(by_slots: Tensor, walk: Walk) -> Tensor:
    """The derivative by `_slots`' argument."""
    return by_slots.unflatten(2, (walk.slots, -1))[:, :, list(walk.initial)].sum((2, 3))


def _add_product(to: Tensor, a: Tensor, b: Tensor) -> None:
    """In place; the product of low precision is rounded before it is added, as the operations of autocast do."""
    if a.dtype == to.dtype:
        to.addcmul_(a, b)
    else:
        to.add_(a * b)


def _by_step(walk: Walk, batch: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Of (…, places * B) each the columns of one step after another; made at once, since views one by one take as long as arithmetic."""
    sizes = [count * batch for count in walk.counts()]
    return zip(*(tensor.split(sizes, -1) for tensor in tensors), strict=True)


def _windows(slots: Tensor, taps: int, start: int, size: int, batch: int) -> Tensor:
    """The inputs that a step reads of (D, h, slots * B): (D, taps, h, size), overlapping."""
    passes, maps, length = slots.shape
    return slots.as_strided((passes, taps, maps, size), (maps * length, batch, length, 1), start)
