"""Where the model that codes images comes from: a stored run, or a target with its weights, which is in no store."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pixelbench.experiments.evaluating.given import GivenModel
from pixelbench.experiments.stored import load_run
from pixelbench.models.base import AutoregressiveModel
from pixelbench.store.artifacts import weights_path
from pixelbench.store.record_file import read_record
from pixelbench.store.scan import StoredRun


class Source(Protocol):
    """What a decoder must find beside the file."""

    @property
    def key(self) -> str:
        """Of the run; empty where it is none."""
        ...

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def place(self) -> str:
        """Of the weights, for messages."""
        ...

    @property
    def images(self) -> tuple[tuple[int, int, int], int]:
        """(C, H, W) and levels."""
        ...

    def load(self) -> AutoregressiveModel:
        """The model, the same bits each time."""
        ...

    def weights_digest(self) -> str:
        """SHA-256 of the weights' file."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What `source_of` reads in another process."""
        ...


@dataclass(frozen=True)
class RunSource:
    """A stored run."""

    run: StoredRun

    @property
    def key(self) -> str:
        """See `Source`."""
        return self.run.record.run_key

    @property
    def name(self) -> str:
        """`digits/pixelcnn`."""
        return f"{self.run.record.task.name}/{self.run.record.variant.name}"

    @property
    def place(self) -> str:
        """See `Source`."""
        return str(self.run.folder)

    @property
    def images(self) -> tuple[tuple[int, int, int], int]:
        """See `Source`."""
        return self.run.record.task.shape, self.run.record.task.levels

    def load(self) -> AutoregressiveModel:
        """See `Source`."""
        return load_run(self.run)

    def weights_digest(self) -> str:
        """See `Source`."""
        return hashlib.sha256(weights_path(self.run.folder).read_bytes()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """See `Source`."""
        return {"run": str(self.run.folder.absolute())}


@dataclass(frozen=True)
class GivenSource:
    """A target, and the weights that were given for it."""

    given: GivenModel

    @property
    def key(self) -> str:
        """It has none."""
        return ""

    @property
    def name(self) -> str:
        """Of the target."""
        return self.given.target

    @property
    def place(self) -> str:
        """See `Source`."""
        return str(self.given.weights or self.given.target)

    @property
    def images(self) -> tuple[tuple[int, int, int], int]:
        """See `Source`."""
        return self.given.shape, self.given.levels

    def load(self) -> AutoregressiveModel:
        """See `Source`."""
        return self.given.load().eval()

    def weights_digest(self) -> str:
        """See `Source`; of a target without a file, of the weights that it is made with."""
        return self.given.weights_digest()

    def to_json(self) -> dict[str, Any]:
        """See `Source`."""
        return {"given": self.given.to_json()}


def source_of(document: dict[str, Any]) -> Source:
    """The inverse of `to_json`.

    Raises:
        UserError: the record of the run cannot be read.
    """
    if "given" in document:
        return GivenSource(GivenModel.from_json(document["given"]))
    folder = Path(document["run"])
    return RunSource(StoredRun(folder, read_record(folder)))
