"""`<store>/bench/*.json`: how fast a network trains, scores and draws on a device, as measured. No torch.

A file holds what was measured and nothing that follows from it: seconds, round by round, so that whoever reads it judges the noise
himself (`pixelbench.analysis.speed`). Files of other commits, devices and versions of torch stand side by side.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from pixelbench.errors import UserError
from pixelbench.files.reading import read_bounded
from pixelbench.store.documents.digested import parse_digested, write_digested
from pixelbench.store.json_values import in_short

FOLDER = "bench"
SCHEMA = 1
#: A longer file was not written by PixelBench.
MOST_BYTES = 1 << 20

#: What is timed, each in turn within a round. `forward`: one whole forward pass without gradient, of one image and of the best batch, which
#: naive sampling does for every sub-pixel. `product`, `convolution`: the device's roof.
Action = Literal["training", "scoring", "sampling", "sampling-best", "forward", "forward-best", "product", "convolution"]
TIMED: tuple[Action, ...] = ("training", "scoring", "sampling", "sampling-best", "forward", "forward-best", "product", "convolution")

_RULES = ConfigDict(allow_inf_nan=False, extra="forbid")
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Positive = Annotated[int, Field(ge=1, lt=2**32)]
#: No clock tells less, and no measurement takes more; rates and sums of such times are numbers still.
_Seconds = Annotated[float, Field(ge=1e-12, le=1e12)]
_Text = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True)
class Subject:
    """The network that is measured, its images and its training: two measurements of one subject can be compared."""

    __pydantic_config__ = _RULES

    family: _Text
    model_version: _Positive
    settings: dict[str, Any]
    shape: tuple[_Positive, _Positive, _Positive]
    """(C, H, W)."""
    levels: _Positive
    batch: _Positive
    """Images of a training step, and of a call that scores."""
    recipe: dict[str, Any]
    """Of the training; empty for what is not trained."""
    precision: _Text

    @property
    def dimensions(self) -> int:
        """Sub-pixels of an image."""
        channels, height, width = self.shape
        return channels * height * width


@dataclass(frozen=True)
class Timing:
    """One action, timed once a round."""

    __pydantic_config__ = _RULES

    seconds: Annotated[tuple[_Seconds, ...], Field(min_length=1)]
    """Of a call, round by round."""
    images: _Count
    """Of a call; 0 for the roof."""
    flop: _Count | None = None
    """Of a call: floating-point operations of its products and convolutions; None where they were not counted."""


@dataclass(frozen=True)
class SpeedRecord:
    """One measurement; `name` is what the report calls it."""

    __pydantic_config__ = _RULES

    name: _Text
    subject: Subject
    device: _Text
    """`cpu (AMD EPYC)`, `cuda (NVIDIA H200)`."""
    threads: _Positive
    timings: dict[Action, Timing]
    memory: dict[Literal["start", "training", "all"], _Count]
    """Bytes: on CUDA the device's peaks, on a CPU those of the process. `start`: before there is a network; `training`: up to the end of
    the first training steps; `all`: to the end."""
    parameters: _Count
    cached: bool
    """Images were drawn by the incremental mode; else by a whole forward pass for each sub-pixel."""
    tried: tuple[tuple[_Positive, _Seconds], ...] = ()
    """(images, seconds) of each batch that was drawn on the way to the best one."""
    measured: _Text = "unknown"
    """When, ISO 8601 in UTC."""
    git_commit: str | None = None
    git_dirty: bool | None = None
    versions: dict[str, str] = field(default_factory=dict[str, str])
    schema: Literal[1] = SCHEMA

    @property
    def place(self) -> str:
        """What is measured and where: a measurement of the same place can be held against it."""
        return _short_digest([asdict(self.subject), self.device, self.threads])

    @property
    def file_name(self) -> str:
        """Of the place, the commit and torch: measuring once more replaces a file only where all of these are the same."""
        shape = "x".join(map(str, self.subject.shape))
        kind = "cuda" if self.device.startswith("cuda") else "cpu"
        made = _short_digest([self.place, self.git_commit, self.git_dirty, self.versions.get("torch")])
        return f"{self.subject.family.replace(':', '-').replace('/', '-')[:60]}-{shape}-{kind}-{made}.json"


def parse_speed(values: Any) -> SpeedRecord:
    """A record from plain values, without a digest.

    Raises:
        ValueError: a field is of the wrong type or out of range.
    """
    return _adapter().validate_json(json.dumps(values))


def write_speed(store: Path, record: SpeedRecord) -> Path:
    """Write it into `<store>/bench` in one step, with a digest of its contents; returns the file.

    Raises:
        OSError: the folder cannot be written.
        ValueError: a field is of the wrong type or out of range.
    """
    document = json.loads(json.dumps(asdict(record), allow_nan=False))
    parse_speed(document)
    path = store / FOLDER / record.file_name
    write_digested(path, document)
    return path


def read_speed(path: Path) -> SpeedRecord:
    """A record from its file.

    Raises:
        UserError: no such file, damaged, edited, or written by a newer PixelBench; the sentence names the file.
    """
    try:
        blob = read_bounded(path, MOST_BYTES)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); name a file that `pixelbench bench` wrote.") from None
    try:
        return _parsed(blob)
    except (ValueError, RecursionError) as fault:
        raise UserError(f"{path} is no sound measurement ({in_short(fault)}); measure again, or move it away.") from None


def read_speeds(store: Path) -> tuple[list[SpeedRecord], list[str]]:
    """All records of `<store>/bench` in order of their names, and a sentence for each file of no use."""
    return read_folder(store / FOLDER)


def read_folder(folder: Path) -> tuple[list[SpeedRecord], list[str]]:
    """As `read_speeds`, of the folder that the files lie in. One that does not exist holds none."""
    records, problems = list[SpeedRecord](), list[str]()
    for path in sorted(folder.glob("*.json")):
        try:
            records.append(read_speed(path))
        except UserError as problem:
            problems.append(str(problem))
    return records, problems


def newest(records: list[SpeedRecord]) -> list[SpeedRecord]:
    """The latest record of each place, in order of name, shape and device."""
    latest: dict[str, SpeedRecord] = {}
    for record in sorted(records, key=lambda record: record.measured):
        latest[record.place] = record
    return sorted(latest.values(), key=lambda record: (record.name, record.subject.shape, record.device, record.place))


def _parsed(blob: bytes | None) -> SpeedRecord:
    """The typed record; raises ValueError for anything else, and for None: the file was too long."""
    if blob is None:
        raise ValueError(f"it has more than {MOST_BYTES >> 20} MB")
    return parse_speed(parse_digested(blob, SCHEMA))


def _short_digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


@cache
def _adapter() -> TypeAdapter[SpeedRecord]:
    return TypeAdapter(SpeedRecord)
