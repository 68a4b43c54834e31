"""Other ways in which images may enter a module, and in which its output may be read: where one was guessed, or told wrong."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from pixelbench.causality.interface.adapter import ENTERING, ModuleAdapter, laid_out
from pixelbench.causality.interface.layout import Layout, fitting_layouts
from pixelbench.causality.interface.parts import selected
from pixelbench.errors import UserError


def other_readings(
    call: Callable[[Tensor], Any], adapter: ModuleAdapter, image: Tensor, *, input_given: bool, output_given: bool
) -> Iterator[ModuleAdapter]:
    """Adapters under which the same call means something else.

    Args:
        call: the module; what enters → what it returns.
        adapter: the one that was found or given.
        image: int64 (1, C, H, W).
        input_given: that layout was stated, and no other is tried.
        output_given: the same of the output, of which another is tried only where images enter as they do.
    """
    raw = call(adapter.encode(image.clone()))
    for layout in _fitting(adapter, raw):
        if layout.pattern != adapter.output:
            yield _read_by(adapter, layout)
    if input_given or adapter.shape[0] == 1:  # one colour: the values come in the same order whatever the axes are
        return
    seen = [_order(adapter.entering, image)]
    for pattern in ENTERING:
        if "c" not in pattern or _order(pattern, image) in seen:
            continue
        seen.append(_order(pattern, image))
        entering = dataclasses.replace(adapter, entering=pattern)
        try:
            layouts = _fitting(adapter, call(entering.encode(image.clone())))
        except (Exception, SystemExit):  # whatever a foreign module throws: this layout is not its own
            continue
        yield from (_read_by(entering, layout) for layout in layouts if not output_given or layout.pattern == adapter.output)


def _fitting(adapter: ModuleAdapter, raw: Any) -> list[Layout]:
    """Layouts that the output fits, of those that tell colours apart as the one that is used does; none where there is no output."""
    try:
        output = selected(raw, adapter.select)
    except UserError:
        return []
    known = dict(zip("bchw", (1, *adapter.shape), strict=True))
    layouts = fitting_layouts(output.shape, known)
    return [adapter.layout, *(one for one in layouts if one.pattern != adapter.output and ("c" in one.pattern) is not adapter.shared)]


def _read_by(adapter: ModuleAdapter, layout: Layout) -> ModuleAdapter:
    return dataclasses.replace(adapter, layout=layout, output=layout.pattern)


def _order(pattern: str, image: Tensor) -> tuple[int, ...]:
    numbered = torch.arange(image.numel()).reshape(image.shape)
    return tuple(laid_out(numbered, pattern).flatten().tolist())
