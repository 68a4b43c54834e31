"""A report for people, as plain text without colours of a terminal."""

from collections.abc import Iterator

from pixelbench.causality.render.map_text import map_rows
from pixelbench.causality.report import CausalityReport, Leak, Map, MissedInPlaces, Missing, colour_name, place_name

#: Further kinds of leak are counted only.
_LEAKS = 6
_GAPS = 5
_PLACES = 3
_LISTED = 24
#: Letters of `map_rows` → what is printed, and its words.
_SYMBOLS = {
    "#": ("█", "seen"),
    "b": ("░", "blind spot"),
    ".": ("·", "beyond the context"),
    "x": ("X", "leak"),
    " ": (" ", ""),
    "?": ("?", "not measured"),
}
#: Pictures side by side, in characters.
_WIDTH = 100


def report_text(report: CausalityReport) -> str:
    """The whole report, several lines without a newline at the end."""
    parts = [
        _verdict(report),
        *_leaks(report),
        *seen_lines(report),
        _order(report),
        *report.notes,
        "",
        *_diagnosis(report),
        *map_lines(report),
    ]
    return "\n".join(parts)


def map_lines(report: CausalityReport) -> list[str]:
    """The dependence map around the output, one picture for each pair of colours, and what the characters mean."""
    rows = {pair: map_rows(report, *pair) for pair in report.map.pairs}
    pictures = {pair: _picture(report.map, rows[pair]) for pair in rows}
    used = {letter for lines in rows.values() for line in lines for letter in line}
    legend = ", ".join(f"{symbol} {words}" for letter, (symbol, words) in _SYMBOLS.items() if words and letter in used)
    lines = [f"Map around one output, over all pixels ({legend}, the output's pixel in [ ]):"]
    channels = report.shape[0]
    for out in range(channels):
        lines += _side_by_side([(_title(out, into, channels), pictures[out, into]) for into in range(channels)])
    return lines


def _title(out: int, into: int, channels: int) -> str:
    return f"{colour_name(out, channels)} sees {colour_name(into, channels)}" if channels > 1 else ""


def _verdict(report: CausalityReport) -> str:
    size = "x".join(map(str, report.shape))
    step = ", after a training step" if report.after_step else ""
    return f"{report.target} ({size}, {report.mode} mode{step}): {report.summary()}\nMeasured: {report.method.probes}."


def _leaks(report: CausalityReport) -> Iterator[str]:
    channels = report.shape[0]
    for leak in report.leaks[:_LEAKS]:
        yield f"  leak: {_kind(leak, channels)}, {leak.count} pairs, at most {leak.example.effect:.2g}"
    if report.leak_kinds > _LEAKS:
        yield f"  and {report.leak_kinds - _LEAKS} more kinds of leak"
    if report.unresolved:
        yield f"Unresolved: {report.unresolved} pairs changed by more than rounding and less than {report.method.tolerance:.0e}."
    if not report.repeatable:
        yield "Not repeatable: a later call gives something else than the first one."


def _kind(leak: Leak, channels: int) -> str:
    row, column = leak.offset
    where = "the same pixel" if leak.offset == (0, 0) else f"offset ({row:+d}, {column:+d})"
    if channels == 1:
        return "itself" if leak.offset == (0, 0) else where
    return f"{colour_name(leak.output_colour, channels)} sees {colour_name(leak.input_colour, channels)} at {where}"


def seen_lines(report: CausalityReport) -> Iterator[str]:
    """Sentences on what is seen: context, colour conditioning, blind spots."""
    context, channels = report.context, report.shape[0]
    rows, left = _count(context.rows_above, "row"), _count(context.columns_left, "column")
    yield f"Context: {rows} above, {left} to the left, {context.columns_right} to the right."
    if channels > 1:
        names = [colour_name(channel, channels) for channel in range(channels)]
        seen = {out: " and ".join(names[into] for into in colours) for out, colours in report.colour_conditioning.items()}
        yield "Other colours of the same pixel: " + ", ".join(f"{names[out]} sees {words or 'none'}" for out, words in seen.items()) + "."
    if report.blind_spots:
        count, names = named_gaps(report, report.blind_spots, _GAPS)
        yield f"Blind spots: {count} never seen although farther ones are: {names}."
    elif report.pairs_missed_in_places:
        yield "Blind spots: none that all positions miss."
    else:
        yield "Blind spots: none."
    if report.pairs_missed_in_places:
        some = [_missed_in_places(one) for one in report.missed_in_places[:_GAPS]]
        more = ", …" if len(report.missed_in_places) > _GAPS else ""
        yield f"Missed at some positions only, {_count(report.pairs_missed_in_places, 'pair')} of pixels: {', '.join(some)}{more}."


def _missed_in_places(one: MissedInPlaces) -> str:
    """`(-1, +2) by 4 of 24 outputs in column 5`; the first places where they share neither row nor column."""
    for axis, line in ((1, "column"), (0, "row")):
        lines = sorted({place[axis] for place in one.outputs})
        if len(lines) == 1 and one.pairs == len(one.outputs):
            where = f"in {line} {lines[0]}"
            break
    else:
        where = "at " + ", ".join(f"({row}, {column})" for row, column in one.outputs[:_PLACES]) + (", …" if one.pairs > _PLACES else "")
    return f"({one.offset[0]:+d}, {one.offset[1]:+d}) by {one.pairs} of {one.measured} outputs {where}"


def named_gaps(report: CausalityReport, kinds: int, listed: int) -> tuple[str, str]:
    """How many offsets the first so many kinds of `missing` lie at, and the names of the first of them.

    `(-1, +2)` is row and column of the input minus the output's, for all colours; `(-1, +2), R by G` where only some miss it.
    """
    channels = report.shape[0]
    gaps: dict[tuple[int, int], list[Missing]] = {}
    for gap in report.missing[:kinds]:
        gaps.setdefault(gap.offset, []).append(gap)
    names = [_gap_name(offset, [] if len(some) == channels**2 else some, channels) for offset, some in gaps.items()]
    least = "at least " if kinds > len(report.missing) else ""
    return f"{least}{_count(len(gaps), 'earlier position')}", ", ".join(names[:listed]) + (", …" if len(names) > listed else "")


def _gap_name(offset: tuple[int, int], some: list[Missing], channels: int) -> str:
    where = "same pixel" if offset == (0, 0) else f"({offset[0]:+d}, {offset[1]:+d})"
    pairs = [f"{colour_name(gap.input_colour, channels)} by {colour_name(gap.output_colour, channels)}" for gap in some]
    return f"{where}, {' and '.join(pairs)}" if pairs and channels > 1 else where


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _order(report: CausalityReport) -> str:
    channels = report.shape[0]
    if report.order == "raster":
        return "Order: raster."
    allowed = "causal" if report.order_allowed else "leaky in raster order, causal"
    if report.order == "given":
        return "Order: the one that was given."
    if report.order is not None and report.order_list is not None:
        name = "in this one" if report.order == "listed" else f"as a {report.order}, which is"
        places = ", ".join(place_name(place, channels) for place in report.order_list[:_LISTED])
        more = ", …" if len(report.order_list) > _LISTED else ""
        return f"Order: {allowed} {name}: {places}{more}."
    if report.order is not None:
        return f"Order: {allowed} in this one: {report.order}."
    if report.cycle is not None:
        names = [place_name(place, channels) for place in report.cycle.places]
        if len(names) == 1:
            return f"Order: none can save it, output {names[0]} sees its own input."
        return f"Order: none can save it, each of these sees the next: {', '.join([*names[:_LISTED], names[0]])}."
    return "Order: not known, the images of a batch are coupled." if report.batch_coupling else "Order: not known, the map is not complete."


def _diagnosis(report: CausalityReport) -> list[str]:
    lines = [f"- {diagnosis.name}: {diagnosis.sentence}" for diagnosis in report.diagnosis]
    return ["Diagnosis:", *lines, ""] if lines else []


def _picture(drawn: Map, rows: list[str]) -> list[str]:
    """The rows, with the output's own pixel in brackets."""
    lines = ["".join(f" {_SYMBOLS[letter][0]}" for letter in row) + " " for row in rows]
    row, column = -drawn.top, -2 * drawn.left
    line = lines[row]
    lines[row] = f"{line[:column]}[{line[column + 1]}]{line[column + 3 :]}"
    return lines


def _side_by_side(pictures: list[tuple[str, list[str]]]) -> list[str]:
    """As many beside one another as fit; each has its title above."""
    width = max(len(picture[0]) for _, picture in pictures) + 3
    width = max(width, *(len(title) + 3 for title, _ in pictures)) if pictures[0][0] else width
    beside = max(1, _WIDTH // width)
    lines = []
    for start in range(0, len(pictures), beside):
        group = pictures[start : start + beside]
        rows = [[title, *picture] if title else picture for title, picture in group]
        joined = ["".join(part.ljust(width) for part in row).rstrip() for row in zip(*rows, strict=True)]
        lines += [line for line in joined if line]
    return lines
