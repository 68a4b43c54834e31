"""From the measured changes to the report: which are leaks, of which kinds, how far the module sees, what is wrong and how to fix it."""

from collections.abc import Iterator, Sequence

import numpy as np

from pixelbench.causality.analysis.context import context_of, count_missing, map_of, missing_of
from pixelbench.causality.analysis.diagnosis import diagnose_leaks, nearness
from pixelbench.causality.analysis.fading import without_faded
from pixelbench.causality.analysis.offsets import Offsets, keys_by_columns, tally, without_own_pixel
from pixelbench.causality.analysis.orders import find_order
from pixelbench.causality.analysis.positions import Positions
from pixelbench.causality.probing.evidence import MISREAD, Evidence
from pixelbench.causality.probing.raster import place_at
from pixelbench.causality.report import CausalityReport, Example, Leak, Place

_LEAKS = 200
_MISSING = 1000


def summarise(evidence: Evidence, *, target: str, order: str | Sequence[int] = "raster", allow_state: bool = False) -> CausalityReport:
    """The report of a check.

    Args:
        evidence: what was measured.
        target: what was checked, as the caller names it.
        order: `raster`, `any` or raster places in the order of drawing: in which the module may be causal.
        allow_state: what is carried from call to call is no fault.
    """
    offsets = tally(evidence)
    if evidence.shared:  # the colours of a pixel meet outside the module: nothing was measured there
        offsets = without_own_pixel(offsets)
    leaks = leaks_of(evidence, offsets)
    context = context_of(offsets)
    missing_kinds, blind_spots = count_missing(offsets, context)
    clear, faded = (offsets, 0) if leaks else without_faded(evidence, offsets, context)
    positions = Positions(evidence)
    coupled = evidence.coupling is not None
    # The map of an image alone in its batch says nothing of an order in which a batch could be drawn.
    found, listed, cycle = (None, None, None) if coupled else find_order(evidence.dependence, evidence.shape, evidence.positions)
    fits = bool(leaks) and not coupled and _allowed(order, found, evidence)
    nearest = min(leaks, key=nearness, default=None)
    example = nearest.example if nearest else None
    elsewhere = None if leaks or coupled or evidence.shared else _against(order, evidence)
    return CausalityReport(
        target=target,
        shape=evidence.shape,
        mode=evidence.mode,
        after_step=evidence.after_step,
        leaky=(bool(leaks) and not fits and not evidence.misread) or coupled or elsewhere is not None,
        complete=evidence.complete,
        positions_probed=len(evidence.positions),
        positions_total=len(evidence.effects),
        leaks=tuple(leaks[:_LEAKS]),
        leak_kinds=len(leaks),
        example=example or elsewhere,
        coupling=_somewhere(evidence.coupling, evidence),
        missing=tuple(missing_of(offsets, context, _MISSING)),
        missing_kinds=missing_kinds,
        blind_spots=blind_spots,
        context=context,
        colour_conditioning=_conditioning(offsets),
        sees_itself=any(leak.offset == (0, 0) and leak.input_colour == leak.output_colour for leak in leaks),
        repeatable=evidence.repeatable,
        unresolved=int((evidence.forbidden & (evidence.effects > evidence.floor) & ~evidence.leaking).sum()),
        order="given" if fits and not isinstance(order, str) else found,
        order_list=listed,
        cycle=cycle,
        diagnosis=diagnose_leaks(evidence, clear, context, found, leaks, positions, allowed=fits, faded=bool(faded)),
        map=map_of(offsets, context),
        noise=evidence.noise,
        method=evidence.method,
        seconds=evidence.seconds,
        state_coupling=_somewhere(evidence.former, evidence),
        state_allowed=allow_state,
        order_allowed=fits,
        doubts=tuple(doubt for doubt in evidence.doubts if not (fits and doubt.name == MISREAD)),
        notes=(*evidence.notes, *_fading(faded)),
        shared_output=evidence.shared,
        missed_in_places=positions.missed,
        pairs_missed_in_places=positions.pairs,
    )


def _fading(pixels: int) -> Iterator[str]:
    if pixels:
        yield (
            f"Influence fades with the distance, as in a recurrence: {pixels} of the offsets that are not seen lie where effects come down "
            "to rounding, so that nothing says whether they are hidden."
        )


def leaks_of(evidence: Evidence, offsets: Offsets) -> list[Leak]:
    """Leaks by offset and colours, each with its strongest example; the most frequent first, then the nearest."""
    strongest, counts = np.zeros(offsets.seen.size), np.zeros(offsets.seen.size, dtype=np.int64)
    for _, _, keys, effects in _leaking(evidence):
        np.maximum.at(strongest, keys, effects)
        counts += np.bincount(keys, minlength=len(counts))
    first = np.full(len(counts), evidence.effects.size)  # of the strongest: the first in raster order of outputs, then of inputs
    for outputs, columns, keys, effects in _leaking(evidence):
        hits = effects == strongest[keys]
        np.minimum.at(first, keys[hits], outputs[hits] * len(evidence.positions) + columns[hits])
    kinds = np.flatnonzero(counts)
    outputs, columns = np.divmod(first[kinds], len(evidence.positions))
    best = zip(outputs.tolist(), evidence.positions[columns].tolist(), strongest[kinds].tolist(), counts[kinds].tolist(), strict=True)
    leaks = [_leak(evidence.shape, *entries) for entries in best]
    return sorted(leaks, key=lambda leak: (-leak.count, *nearness(leak)))


def _leaking(evidence: Evidence) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Outputs, columns, keys and effects of all leaks, a few columns at a time."""
    for columns, keys in keys_by_columns(evidence.positions, evidence.shape):
        leaking = evidence.leaking.T[columns]
        if leaking.any():
            rows, outputs = np.nonzero(leaking)
            yield outputs, rows + columns.start, keys[leaking], evidence.effects.T[columns][leaking]


def _leak(shape: Place, output: int, source: int, effect: float, count: int) -> Leak:
    out, into = place_at(output, shape), place_at(source, shape)
    return Leak((into[1] - out[1], into[2] - out[2]), into[0], out[0], count, Example(into, out, effect))


def _somewhere(coupling: tuple[float, int] | None, evidence: Evidence) -> Example | None:
    if coupling is None:
        return None
    effect, place = coupling
    return Example(place_at(place, evidence.shape), place_at(place, evidence.shape), effect)


def _allowed(order: str | Sequence[int], found: str | None, evidence: Evidence) -> bool:
    """The module is causal in the order that the caller accepts."""
    return order == "any" and found is not None if isinstance(order, str) else _against(order, evidence) is None


def _against(order: str | Sequence[int], evidence: Evidence) -> Example | None:
    """The strongest change by an input that is not drawn before the output in the order listed; None where there is none, or no list."""
    if isinstance(order, str):
        return None
    rank = np.empty(len(evidence.effects), dtype=np.int64)
    rank[np.asarray(order)] = np.arange(len(rank))
    later = rank[evidence.positions][None, :] >= rank[:, None]
    effects = np.where(later & (evidence.effects > evidence.method.tolerance), evidence.effects, 0.0)
    if not effects.any():
        return None
    output, column = np.unravel_index(int(effects.argmax()), effects.shape)
    changed, moved = place_at(int(evidence.positions[column]), evidence.shape), place_at(int(output), evidence.shape)
    return Example(changed, moved, float(effects[output, column]))


def _conditioning(offsets: Offsets) -> dict[int, tuple[int, ...]]:
    channels, height, width = offsets.shape
    pixel = offsets.seen[:, :, height - 1, width - 1] > 0
    return {out: tuple(into for into in range(channels) if into != out and pixel[out, into]) for out in range(channels)}
