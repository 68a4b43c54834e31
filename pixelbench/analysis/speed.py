"""Rates, shares of the roof and ratios that follow from a measurement of speed, and whether a later one is slower beyond noise."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import mannwhitneyu

from pixelbench.store.documents.bench_records import Action, SpeedRecord

#: The actions that are held against those of another measurement.
COMPARED: dict[Action, str] = {
    "training": "training",
    "scoring": "scoring",
    "sampling": "sampling, one image",
    "sampling-best": "sampling, best batch",
}
_ROOF: tuple[Action, Action] = ("product", "convolution")
_WORKING: tuple[Action, ...] = ("training", "scoring")
_DRAWN: tuple[tuple[str, Action, Action], ...] = (
    ("cached-1", "sampling", "forward"),
    ("cached-best", "sampling-best", "forward-best"),
)
#: A change is spoken of from this factor on, as in airspeed velocity: what neighbours in caches and clocks do is of this size.
FACTOR = 1.1
#: How seldom the rounds of two equal measurements are to differ so much (Mann and Whitney's test, one side).
CHANCE = 0.01
#: Of fewer rounds on each side no test can say so much.
FEWEST_ROUNDS = 5
_NOTHING = "–"
#: MiB by which memory differs for no reason of ours.
_MEMORY_NOISE = 32


@dataclass(frozen=True)
class Quantity:
    """A number with what half of the rounds lie between."""

    name: str
    unit: str
    value: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """Half of the distance between the quartiles, as a share of the value."""
        return (self.high - self.low) / 2 / self.value

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return dict(vars(self))


def quantities_of(record: SpeedRecord) -> dict[str, Quantity]:
    """By a short name, those that the measurement has: `training`, `scoring` and `throughput` in images a second, `latency` in seconds,
    `training-work`, `scoring-work`, `product` and `convolution` in GFLOP/s, `training-share`, `scoring-share` of the roof,
    `cached-1` and `cached-best`, by what factor the incremental mode is faster."""
    found: dict[str, Quantity] = {}

    def add(key: str, name: str, unit: str, values: "np.ndarray | None") -> None:
        if values is not None and len(values):
            low, middle, high = (float(value) for value in np.percentile(values, (25, 50, 75)))
            found[key] = Quantity(name, unit, middle, low, high)

    best = record.timings.get("sampling-best")
    add("training", "training", "images/s", _images_a_second(record, "training"))
    add("scoring", "scoring", "images/s", _images_a_second(record, "scoring"))
    add("latency", "one image drawn", "s", _seconds(record, "sampling"))
    add("throughput", f"drawn {best.images} at a time" if best else "", "images/s", _images_a_second(record, "sampling-best"))
    for action in _WORKING:
        work = _work(record, action)
        add(f"{action}-work", f"useful work of {action}", "GFLOP/s", work)
        add(f"{action}-share", f"{action}, share of the roof", "", None if work is None else _of_neighbours(work, _roof(record)))
    add("product", "roof: matrix product", "GFLOP/s", _work(record, "product"))
    add("convolution", "roof: convolution", "GFLOP/s", _work(record, "convolution"))
    if record.cached:
        for key, drawn, forward in _DRAWN:
            naive, cached = _seconds(record, forward), _seconds(record, drawn)
            if naive is not None and cached is not None:
                ratio = _of_neighbours(naive * record.subject.dimensions, cached)
                images = record.timings[drawn].images
                add(key, f"naive over cached, {images} image{'' if images == 1 else 's'}", "", ratio)
    return found


#: Of a table of measurements, and which of them are numbers.
TITLES = (
    "measured",
    "shape",
    "parameters",
    "batch",
    "training, images/s",
    "GFLOP/s",
    "of the roof",
    "scoring, images/s",
    "one image drawn, s",
)
TITLES += ("drawn at the best batch, images/s", "naive / cached", "peak memory, MiB", "device")
NUMBERS = frozenset(TITLES[2:-1])


def row_of(record: SpeedRecord) -> tuple[str, ...]:
    """A measurement's cells under `TITLES`: medians, with half of the distance between the quartiles; a dash where there is nothing."""
    found, subject = quantities_of(record), record.subject

    def said(key: str) -> str:
        return f"{three_digits(found[key].value)} ± {100 * found[key].spread:.0f} %" if key in found else _NOTHING

    best = record.timings.get("sampling-best")
    ratios = [three_digits(found[key].value) for key in ("cached-1", "cached-best") if key in found]
    return (
        record.name,
        "x".join(map(str, subject.shape)),
        f"{record.parameters:,}" if record.parameters else _NOTHING,
        str(subject.batch),
        said("training"),
        three_digits(found["training-work"].value) if "training-work" in found else _NOTHING,
        f"{100 * found['training-share'].value:.2g} %" if "training-share" in found else _NOTHING,
        said("scoring"),
        said("latency"),
        f"{said('throughput')} ({best.images:,})" if best else _NOTHING,
        " / ".join(ratios) if ratios else _NOTHING,
        f"{record.memory['all'] / 2**20:,.0f}" if "all" in record.memory else _NOTHING,
        f"{record.device}, {subject.precision}, {record.threads} thread{'' if record.threads == 1 else 's'}",
    )


@dataclass(frozen=True)
class Change:
    """One action of two measurements of one place."""

    name: str
    action: str
    unit: Literal["s an image", "MiB"]
    before: float
    """The median."""
    after: float
    verdict: Literal["same", "faster", "slower", "more", "less"]
    chance: float | None
    """How often rounds of equal speed would differ so much; None for memory, and where there are too few."""

    @property
    def regression(self) -> bool:
        """A regression: more seconds, or more memory."""
        return self.verdict in ("slower", "more")

    @property
    def ratio(self) -> float:
        """After over before: above 1 is slower, or more."""
        return self.after / self.before

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {**vars(self), "ratio": self.ratio}


def comparable(before: Iterable[SpeedRecord], after: SpeedRecord) -> SpeedRecord | None:
    """The latest measurement of the same place: subject, device and threads; None where there is none."""
    return max((record for record in before if record.place == after.place), key=lambda record: record.measured, default=None)


def changes(before: SpeedRecord, after: SpeedRecord) -> list[Change]:
    """What became slower or faster, action by action, and of the peak memory.

    A shared machine's speed changes from one hour to the next. So times are compared twice: as they are, and as multiples of what the roof
    took in the same round. An action counts as slower where both say so: the medians are at least `FACTOR` apart, and the rounds differ by
    more than `CHANCE` allows. Where the whole machine is slower, the second does not say so; where it is faster and the action, which
    waits for something else, is not, the first does not.
    """
    found = [_change(after.name, action, before, after) for action in COMPARED if {action} <= before.timings.keys() & after.timings.keys()]
    if "all" in before.memory and "all" in after.memory:
        held, holds = (record.memory["all"] / 2**20 for record in (before, after))
        verdict = "more" if _beyond(held, holds) else "less" if _beyond(holds, held) else "same"
        found.append(Change(after.name, "peak memory", "MiB", held, holds, verdict, None))
    return found


def _beyond(less: float, more: float) -> bool:
    return more > FACTOR * less and more - less > _MEMORY_NOISE


def _change(name: str, action: Action, before: SpeedRecord, after: SpeedRecord) -> Change:
    pairs = [(_an_image(before, action), _an_image(after, action))]
    pairs.append((_of_neighbours(pairs[0][0], 1 / _roof(before)), _of_neighbours(pairs[0][1], 1 / _roof(after))))
    verdict: Literal["same", "faster", "slower"] = "same"
    chances = {"slower": max(_chance(old, new) for old, new in pairs), "faster": max(_chance(new, old) for old, new in pairs)}
    if all(np.median(new) >= FACTOR * np.median(old) for old, new in pairs) and chances["slower"] <= CHANCE:
        verdict = "slower"
    elif all(np.median(old) >= FACTOR * np.median(new) for old, new in pairs) and chances["faster"] <= CHANCE:
        verdict = "faster"
    enough = min(len(side) for pair in pairs for side in pair) >= FEWEST_ROUNDS
    old, new = (float(np.median(side)) for side in pairs[0])
    return Change(name, COMPARED[action], "s an image", old, new, verdict, min(chances.values()) if enough else None)


def _chance(less: np.ndarray, more: np.ndarray) -> float:
    """How often `more` would exceed `less` so clearly if both were draws of one distribution."""
    return 1.0 if min(len(less), len(more)) < FEWEST_ROUNDS else float(mannwhitneyu(more, less, alternative="greater").pvalue)


def _seconds(record: SpeedRecord, action: Action) -> "np.ndarray | None":
    timing = record.timings.get(action)
    return None if timing is None else np.array(timing.seconds)


def _an_image(record: SpeedRecord, action: Action) -> np.ndarray:
    timing = record.timings[action]
    return np.array(timing.seconds) / timing.images


def _images_a_second(record: SpeedRecord, action: Action) -> "np.ndarray | None":
    return None if action not in record.timings else 1 / _an_image(record, action)


def _work(record: SpeedRecord, action: Action) -> "np.ndarray | None":
    """GFLOP/s, round by round; None where nothing was counted: no product and no convolution."""
    timing = record.timings.get(action)
    return None if timing is None or not timing.flop else timing.flop / 1e9 / np.array(timing.seconds)


def _roof(record: SpeedRecord) -> np.ndarray:
    """GFLOP/s of the faster of product and convolution, round by round."""
    rates = [rate for action in _ROOF if (rate := _work(record, action)) is not None]
    if not rates:
        raise ValueError("a measurement without a roof")
    return np.maximum.reduce([rate[: min(map(len, rates))] for rate in rates])


def _of_neighbours(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Ratios of what was measured in the same round."""
    rounds = min(len(values), len(others))
    return values[:rounds] / others[:rounds]


def three_digits(value: float) -> str:
    """`12,300`, `1.23`, `0.00123`."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, 2 - math.floor(math.log10(abs(value)))):,.{digits}f}"
