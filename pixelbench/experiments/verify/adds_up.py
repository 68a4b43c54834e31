"""Does a store still hold? What is looked at and what is found; what needs torch is in `rescoring`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pixelbench.errors import UserError
from pixelbench.store.scan import Scan, require_store, scan

#: Told before each piece of work: what it is, how many of all are done, how many there are.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Behaviour:
    """Whether the present code computes what the code did that executed some runs."""

    runs: tuple[str, ...]
    """Labels of the runs of one cell and code."""
    keys: tuple[str, ...]
    verdict: str
    """`current`, `stale`, or `unverified` where the records keep no fingerprint, or the family is not known here."""
    differing: tuple[str, ...] = ()
    """The parts of the fingerprint in which it computes something else."""


@dataclass(frozen=True)
class Rescored:
    """A stored run scored again from the weights that it keeps."""

    run: str
    key: str
    images: int
    largest_difference: float | None
    """Nats, of one image; None where it could not be scored."""
    holds: bool
    reason: str = ""
    """Why it does not hold, or was not scored."""


@dataclass(frozen=True)
class Verification:
    """The runs looked at and those that do not hold. `problems`: a sentence for each file or record that does not add up."""

    store: Path
    runs: int
    problems: tuple[str, ...]
    behaviour: tuple[Behaviour, ...] = ()
    rescored: tuple[Rescored, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all that was looked at does."""
        stale = any(one.verdict == "stale" for one in self.behaviour)
        return not self.problems and not stale and all(one.holds for one in self.rescored)


def examined(store: Path) -> Scan:
    """The runs of a store, each held against its own evidence, whatever was found before.

    Raises:
        UserError: no such folder, one without runs, or one of a newer PixelBench; nothing is written then.
    """
    found = scan(require_store(store), cached=False)
    if any(found.unusable.values()):
        raise UserError(f"'{store}' was written by a newer PixelBench; update PixelBench to verify it.")
    if not found and not found.unusable:
        raise UserError(f"'{store}' holds no runs of PixelBench; name a results folder, such as `pixelbench verify results`.")
    return found.examine()
