"""`quality.json`: what was measured of a run's samples after it had ended, each measurement with the floor and the controls beside it.

It lies beside the record and is no part of it, as a proof is: drawing more images changes no number of the run. It holds numbers and no
images.
"""

from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from pixelbench.evaluation.measures import Control, Value
from pixelbench.store.documents.digested import of_another_run, parse_digested, write_digested
from pixelbench.store.record import Record
from pixelbench.units import MOST_AMOUNT

QUALITY = "quality.json"
SCHEMA = 1

_RULES = ConfigDict(allow_inf_nan=False, extra="forbid")
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, Field(min_length=1, max_length=255)]
_Positive = Annotated[int, Field(ge=1, lt=2**32)]
_Amount = Annotated[float, Field(ge=0, le=MOST_AMOUNT)]
_Values = dict[_Name, Value]


@dataclass(frozen=True)
class Measurement:
    """What was measured of one drawing in one feature set."""

    __pydantic_config__ = _RULES

    features: _Name
    features_digest: _Sha256
    requested: _Positive
    """Images that were asked for."""
    n: _Positive
    """Samples that were drawn, and real images that they are held against: fewer where the task has fewer."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Of the drawing, and of which real images are taken."""
    method: Literal["cached", "naive", "own"]
    values: _Values
    """Of the samples: measures and statistics by name."""
    floor: _Values
    """The same of as many training images, held against the same real images."""
    controls: dict[Control, _Values]
    """The same of images that are wrong in a known way."""
    reference: _Values
    """The statistics of the real images that all are held against."""
    draw_seconds: _Amount
    measure_seconds: _Amount
    rules: _Positive = 1
    """Version of the measures, see `pixelbench.experiments.measuring`."""
    versions: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def settings(self) -> tuple[Any, ...]:
        """What tells two measurements of one run apart."""
        return self.features, self.features_digest, self.requested, self.seed, self.rules


@dataclass(frozen=True)
class Measurements:
    """All of a run."""

    __pydantic_config__ = _RULES

    run_key: str
    weights: _Sha256 | None
    """Of the weights' file; None of a baseline that was fitted again."""
    measured: Annotated[tuple[Measurement, ...], Field(min_length=1)]
    schema: Literal[1] = SCHEMA

    def of(self, features: str, requested: int, seed: int, rules: int) -> Measurement | None:
        """The measurement with these settings."""
        wanted = (features, requested, seed, rules)
        return next((one for one in self.measured if (one.features, one.requested, one.seed, one.rules) == wanted), None)

    def with_measurement(self, new: Measurement) -> "Measurements":
        """With another one, in order; one of the same settings is replaced, but for the measures that the new one lacks."""
        same = next((one for one in self.measured if one.settings == new.settings), None)
        rest = tuple(one for one in self.measured if one is not same)
        merged = new if same is None or same.n != new.n else _merged(same, new)
        return replace(self, measured=tuple(sorted((*rest, merged), key=lambda one: (one.features, -one.requested, one.seed, one.rules))))


def write_measurements(folder: Path, found: Measurements) -> None:
    """Write `folder/quality.json` in one step, with a digest of its contents.

    Raises:
        OSError: the folder cannot be written.
    """
    write_digested(folder / QUALITY, asdict(found))


def parse_measurements(blob: bytes) -> Measurements:
    """Measurements from the bytes of their file.

    Raises:
        ValueError: damaged, edited, or of a newer version.
    """
    return _adapter().validate_python(parse_digested(blob))


def contradiction(found: Measurements, record: Record) -> str:
    """Why measurements are not of this run, as the end of a sentence that begins with the file's name; empty where they are."""
    return of_another_run(found.run_key, found.weights, record)


def _merged(old: Measurement, new: Measurement) -> Measurement:
    """Of the same images: the new values, and the old ones of what was not measured now."""
    names: set[Control] = {*old.controls, *new.controls}
    controls: dict[Control, _Values] = {name: {**old.controls.get(name, {}), **new.controls.get(name, {})} for name in names}
    return replace(
        new,
        values={**old.values, **new.values},
        floor={**old.floor, **new.floor},
        controls=controls,
        reference={**old.reference, **new.reference},
    )


@cache
def _adapter() -> TypeAdapter[Measurements]:
    return TypeAdapter(Measurements)
