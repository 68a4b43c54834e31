"""From the measured changes to the report: which are leaks, of which kinds, and how far the module sees."""

from typing import Any

import numpy as np

from pixelbench.causality.report import CausalityReport, Leak, Status, sub_pixel

_LISTED = 12
#: Rounding measured on a few images is not its maximum; changes below this many times the noise are none.
_MARGIN = 10.0
_LEAST_NOISE = 1e-16


def summarise(
    effects: np.ndarray,
    positions: np.ndarray,
    *,
    shape: tuple[int, int, int],
    tolerance: float,
    noise: float,
    coupling: tuple[float, int] | None,
    **facts: Any,
) -> CausalityReport:
    """The report of a check.

    Args:
        effects: (D, n) largest relative change of every output (raster place) for each of the n inputs that were changed.
        positions: (n,) raster places of those inputs, ascending.
        coupling: relative change of, and raster place in, another image of the batch; None where there is none.
        **facts: `levels`, `mode`, `method`, as in the report.
    """
    total = len(effects)
    forbidden = np.arange(total)[:, None] <= positions[None, :]
    floor = _MARGIN * max(noise, _LEAST_NOISE)
    leaking = forbidden & (effects > tolerance)
    dependence = np.where(forbidden, leaking, effects > floor)
    kinds = _kinds(effects, leaking, positions, shape)
    largest = max(float(effects[leaking].max(initial=0.0)), coupling[0] if coupling else 0.0)
    rows_above, columns_left, columns_right = _context(dependence & ~forbidden, positions, shape)
    return CausalityReport(
        shape=shape,
        status=_status(leaky=bool(kinds) or coupling is not None, complete=len(positions) == total),
        positions_probed=len(positions),
        positions_total=total,
        tolerance=tolerance,
        noise=noise,
        unresolved=int((forbidden & (effects > floor) & ~leaking).sum()),
        largest_leak=largest,
        counter_example=_counter_example(effects, leaking, positions, shape, coupling),
        leaks=tuple(kinds[:_LISTED]),
        leak_kinds=len(kinds),
        batch_coupling=coupling is not None,
        sees_same_pixel=_same_pixel(dependence, positions, shape[0]),
        rows_above=rows_above,
        columns_left=columns_left,
        columns_right=columns_right,
        positions=positions,
        dependence=dependence,
        **facts,
    )


def _status(*, leaky: bool, complete: bool) -> Status:
    if leaky:
        return "leaky"
    return "complete" if complete else "partial"


def _kinds(effects: np.ndarray, leaking: np.ndarray, positions: np.ndarray, shape: tuple[int, int, int]) -> list[Leak]:
    """Leaks by offset and colours, the most frequent first."""
    outputs, columns = np.nonzero(leaking)
    if not len(outputs):
        return []
    out_row, out_column, out_colour = _coordinates(outputs, shape)
    in_row, in_column, in_colour = _coordinates(positions[columns], shape)
    channels, height, width = shape
    sizes = (2 * height, 2 * width, channels, channels)
    keys = np.ravel_multi_index((in_row - out_row + height, in_column - out_column + width, in_colour, out_colour), sizes)
    found, which, counts = np.unique(keys, return_inverse=True, return_counts=True)
    largest = np.zeros(len(found))
    np.maximum.at(largest, which, effects[outputs, columns])
    rows, cols, inputs, targets = np.unravel_index(found, sizes)
    leaks = [
        Leak(int(rows[i]) - height, int(cols[i]) - width, int(inputs[i]), int(targets[i]), int(counts[i]), float(largest[i]))
        for i in range(len(found))
    ]
    return sorted(leaks, key=lambda leak: (-leak.count, -leak.largest))


def _counter_example(
    effects: np.ndarray, leaking: np.ndarray, positions: np.ndarray, shape: tuple[int, int, int], coupling: tuple[float, int] | None
) -> str | None:
    if coupling is not None:
        amount, place = coupling
        return f"changing one image of a batch changes output {sub_pixel(place, shape)} of another by {amount:.2g} (relative)"
    if not leaking.any():
        return None
    output, column = np.unravel_index(np.argmax(np.where(leaking, effects, -1.0)), effects.shape)
    source, target = sub_pixel(int(positions[column]), shape), sub_pixel(int(output), shape)
    return f"input {source} changes output {target} by {effects[output, column]:.2g} (relative)"


def _same_pixel(dependence: np.ndarray, positions: np.ndarray, channels: int) -> tuple[tuple[bool, ...], ...]:
    seen = np.zeros((channels, channels), dtype=bool)
    columns = np.arange(len(positions))
    for colour in range(channels):
        outputs = positions // channels * channels + colour
        np.logical_or.at(seen[colour], positions % channels, dependence[outputs, columns])
    return tuple(tuple(bool(value) for value in row) for row in seen)


def _context(seen: np.ndarray, positions: np.ndarray, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """How many rows above, columns to the left and columns to the right the earlier sub-pixels reach that are seen."""
    outputs, columns = np.nonzero(seen)
    out_row, out_column, _ = _coordinates(outputs, shape)
    in_row, in_column, _ = _coordinates(positions[columns], shape)
    return (
        int((out_row - in_row).max(initial=0)),
        int((out_column - in_column).max(initial=0)),
        int((in_column - out_column).max(initial=0)),
    )


def _coordinates(places: np.ndarray, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    channels, _, width = shape
    pixels = places // channels
    return pixels // width, pixels % width, places % channels
