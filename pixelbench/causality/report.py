"""The findings of a causality check: plain data, no torch. `to_json` and `from_json` are the certificate's file format.

Offsets are (row, column) of the input minus the output; places of sub-pixels are (channel, row, column).
"""

import dataclasses
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

#: Rises when a field of the certificate changes its name or meaning.
SCHEMA = 1

CausalityVerdict = Literal["causal", "partial", "leaky", "stateful", "undecided"]
MapStatus = Literal["complete", "partial", "leaky"]
Place = tuple[int, int, int]


@dataclass(frozen=True)
class Example:
    """One measured change: exchanging sub-pixel `input` changed the output at `output` by `effect`, relative to the largest output."""

    input: Place
    output: Place
    effect: float


@dataclass(frozen=True)
class Leak:
    """All leaks with one offset and one pair of colours: how many pairs of sub-pixels, and the strongest of them."""

    offset: tuple[int, int]
    input_colour: int
    output_colour: int
    count: int
    example: Example


@dataclass(frozen=True)
class Missing:
    """An earlier position that no output sees at this offset. `inside` the bounding box of what is seen it is a blind spot."""

    offset: tuple[int, int]
    input_colour: int
    output_colour: int
    inside: bool


@dataclass(frozen=True)
class MissedInPlaces:
    """An earlier pixel that is seen at this offset by some outputs and not by others.

    Attributes:
        pairs: how many pairs of pixels, of those `measured` at the offset, are missed.
        outputs: (row, column) of the output pixels that miss it, at most 64.
    """

    offset: tuple[int, int]
    pairs: int
    measured: int
    outputs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Context:
    """How far away the earlier sub-pixels are that can be seen: the bounding box."""

    rows_above: int
    columns_left: int
    columns_right: int

    def holds(self, row: Any, column: Any) -> Any:
        """Whether offsets lie inside the box: numbers, or arrays that broadcast."""
        return (row >= -self.rows_above) & (column >= -self.columns_left) & (column <= self.columns_right)


@dataclass(frozen=True)
class Method:
    """How it was measured.

    Attributes:
        probes: one sentence: what was changed, on which images.
        tolerance: a forbidden output that changes by more is a leak; relative to the largest output of the two compared.
        levels: values of a sub-pixel.
        input: `int`, `unit` or `symmetric`: how images entered the module.
        output: the einops pattern of the module's output.
        seed: of the images and of the module's own random layers.
        dtype: what it was computed in.
    """

    probes: str
    tolerance: float
    levels: int
    input: str
    output: str
    seed: int
    dtype: str = "float64"


@dataclass(frozen=True)
class Diagnosis:
    """`name`: stable, for programs (`sees-itself`). `sentence`: what is seen, the likely cause, the fix; with a full stop."""

    name: str
    sentence: str


@dataclass(frozen=True)
class Cycle:
    """Places that see one another in a ring, so that no order of drawing can save the module; shortest: one that sees itself."""

    places: tuple[Place, ...]


@dataclass(frozen=True)
class Map:
    """The dependence map around one pixel, over all pixels: what is drawn.

    Attributes:
        top, left: offset of the first row and column of every picture.
        pairs: (output colour, input colour) → rows of characters: `#` seen, `.` blind spot or beyond the context, `x` leak,
            a space where nothing may be seen and nothing is, `?` not measured.
    """

    top: int
    left: int
    pairs: dict[tuple[int, int], tuple[str, ...]]


@dataclass(frozen=True)
class CausalityReport:
    """The verdict and what it rests on. Finite probes prove a leak, never its absence.

    Attributes:
        target: what was checked, as the caller names it.
        shape: (C, H, W) of the images.
        mode: `eval` or `train`, the mode the module was checked in.
        after_step: one training step on random images was made first.
        leaky: a leak was found.
        complete: every input sub-pixel was changed.
        positions_probed: input sub-pixels that were changed, out of `positions_total`.
        leaks: kinds of leak, the most frequent first, at most 200 of the `leak_kinds`.
        example: the counter-example that is easiest to verify by hand: nearest offset, then largest effect. None where there is no leak
            between sub-pixels of one image.
        coupling: the change of an image's output when other images of its batch were exchanged (its `input` is the output itself).
        missing: earlier positions that are not seen, blind spots first, at most 1000 of the `missing_kinds`.
        colour_conditioning: output colour → the other colours of the same pixel that it sees, anywhere.
        repeatable: a second call gives what the first one gave.
        unresolved: pairs that changed by more than noise explains and less than the tolerance: neither leak nor clean.
        order: `raster`, the name of another order in which the module is causal, `listed` (see `order_list`), or None: there is a cycle,
            or the map is not complete enough to tell.
        order_list: the places in an order in which the module is causal, only where no named order fits.
        cycle: why no order fits.
        noise: largest relative difference that rounding alone made.
        state_coupling: the change of an output when the images of former calls were exchanged (its `input` is the output itself).
        state_allowed: the caller accepts that.
        order_allowed: the caller accepts the order that was found, though it is not raster order.
        doubts: why the absence of a leak is no evidence; with any of them there is no verdict.
        notes: sentences for the reader.
        shared_output: one output serves all colours of a pixel, so that how these depend on one another lies outside the module.
        missed_in_places: earlier pixels that are seen by some outputs and not by others, the most pairs first, at most 200 offsets.
        pairs_missed_in_places: how many pairs of pixels that are in all.
    """

    target: str
    shape: Place
    mode: str
    after_step: bool
    leaky: bool
    complete: bool
    positions_probed: int
    positions_total: int
    leaks: tuple[Leak, ...]
    leak_kinds: int
    example: Example | None
    coupling: Example | None
    missing: tuple[Missing, ...]
    missing_kinds: int
    blind_spots: int
    context: Context
    colour_conditioning: dict[int, tuple[int, ...]]
    sees_itself: bool
    repeatable: bool
    unresolved: int
    order: str | None
    order_list: tuple[Place, ...] | None
    cycle: Cycle | None
    diagnosis: tuple[Diagnosis, ...]
    map: Map
    noise: float
    method: Method
    seconds: float = field(compare=False)
    state_coupling: Example | None = None
    state_allowed: bool = False
    order_allowed: bool = False
    doubts: tuple[Diagnosis, ...] = ()
    notes: tuple[str, ...] = ()
    shared_output: bool = False
    missed_in_places: tuple[MissedInPlaces, ...] = ()
    pairs_missed_in_places: int = 0

    @property
    def verdict(self) -> CausalityVerdict:
        """`causal` only where the map is complete and no leak was found; `partial` where none was found at the positions probed.

        `stateful`: no leak within an image, but the images of former calls are seen; `undecided`: nothing can be concluded (see `doubts`).
        """
        if self.leaky:
            return "leaky"
        if self.stateful:
            return "stateful"
        return "undecided" if self.doubts else "causal" if self.complete else "partial"

    @property
    def stateful(self) -> bool:
        """Outputs depend on the images of former calls, and nobody has allowed that."""
        return self.state_coupling is not None and not self.state_allowed

    @property
    def status(self) -> MapStatus:
        """The verdict in the words of a record, which has no word for doubt: what is undecided is at most partial."""
        found: dict[str, MapStatus] = {"leaky": "leaky", "stateful": "leaky", "causal": "complete"}
        return found.get(self.verdict, "partial")

    @property
    def faults(self) -> tuple[str, ...]:
        """The names of the diagnoses."""
        return tuple(diagnosis.name for diagnosis in self.diagnosis)

    @property
    def largest_leak(self) -> float:
        """Relative; 0 where there is none."""
        found = [leak.example.effect for leak in self.leaks] + ([self.coupling.effect] if self.coupling else [])
        return max(found, default=0.0)

    @property
    def batch_coupling(self) -> bool:
        """Exchanging other images of the batch changes an image's output."""
        return self.coupling is not None

    @property
    def counter_example(self) -> str | None:
        """One leak as a sentence without its full stop, None where there is none."""
        if self.example is not None:
            changed, moved = (place_name(place, self.shape[0]) for place in (self.example.input, self.example.output))
            return f"input {changed} changes output {moved} by {self.example.effect:.2g} (relative)"
        if self.coupling is not None:
            moved = place_name(self.coupling.output, self.shape[0])
            return f"changing other images of a batch changes output {moved} of an image by {self.coupling.effect:.2g} (relative)"
        return None

    def summary(self) -> str:
        """One sentence for people: the counter-example, or *no leak found* with what was probed and to which tolerance."""
        if self.leaky and self.order not in (None, "raster") and not self.batch_coupling:
            own = f"Not causal in raster order, but in an order of its own ({self.order}); do not sample it in raster order"
            return f"{own}: {self.counter_example}."
        if self.leaky and not (self.leaks or self.batch_coupling):
            return f"Not causal in the order that was given, though in raster order: {self.counter_example}."
        if self.leaky:
            return f"Not causal: {self.counter_example}."
        if self.stateful and self.state_coupling is not None:
            moved = place_name(self.state_coupling.output, self.shape[0])
            effect = f"the images of former calls change output {moved} by {self.state_coupling.effect:.2g} (relative)"
            return f"Not causal in use: {effect}, so that likelihoods depend on what was scored before."
        if self.doubts:
            return f"Undecided. {self.doubts[0].sentence}"
        where = "complete map" if self.complete else f"{self.positions_probed} of {self.positions_total} positions"
        if self.order_allowed and self.order != "raster":
            where = f"{where}, in an order of its own: {self.order}"
        return f"No leak found ({where}, tolerance {self.method.tolerance:.0e} in {self.method.dtype})."

    def to_json(self) -> dict[str, Any]:
        """The certificate: JSON-safe, no NaN, no infinity."""
        document = dataclasses.asdict(self)
        document |= {"schema": SCHEMA, "verdict": self.verdict, "batch_coupling": self.batch_coupling}
        document["counter_example"] = self.counter_example
        document["colour_conditioning"] = {str(colour): list(seen) for colour, seen in self.colour_conditioning.items()}
        document["diagnosis"] = [diagnosis.sentence for diagnosis in self.diagnosis]
        document["faults"] = list(self.faults)
        document["summary"] = self.summary()
        document["map"]["pairs"] = {f"{out}<{into}": list(rows) for (out, into), rows in self.map.pairs.items()}
        return document

    @classmethod
    def read(cls, path: Path) -> "CausalityReport | None":
        """The certificate in a file; None where there is none, or it is damaged or of another schema."""
        try:
            return cls.from_json(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "CausalityReport":
        """The inverse of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: not a certificate of this schema.
        """
        if document["schema"] != SCHEMA:
            raise ValueError(f"certificate of schema {document['schema']}, not {SCHEMA}")
        later = {entry.name for entry in dataclasses.fields(cls) if entry.default is not dataclasses.MISSING}  # older ones lack these
        names = [entry.name for entry in dataclasses.fields(cls)]
        values = {name: document[name] for name in names if name in document or name not in later}
        values["diagnosis"] = [
            {"name": name, "sentence": said} for name, said in zip(document["faults"], document["diagnosis"], strict=True)
        ]
        values["map"] = {**document["map"], "pairs": {_pair(name): rows for name, rows in document["map"]["pairs"].items()}}
        return _adapter().validate_python(values)


def place_name(place: Place, channels: int) -> str:
    """`R at (3, 4)`; with one channel `(3, 4)`, with any other number `channel 1 at (3, 4)`."""
    channel, row, column = place
    if channels == 1:
        return f"({row}, {column})"
    return f"{colour_name(channel, channels)} at ({row}, {column})"


def colour_name(channel: int, channels: int) -> str:
    """`R`, `G`, `B` where there are three channels, otherwise `channel 1`."""
    return "RGB"[channel] if channels == 3 else f"channel {channel}"


def _pair(name: str) -> tuple[int, int]:
    out, _, into = name.partition("<")
    return int(out), int(into)


@cache
def _adapter() -> TypeAdapter[CausalityReport]:
    return TypeAdapter(CausalityReport)
