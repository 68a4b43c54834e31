"""Whether the code as it is now is still the code that executed a stored run. No torch: what a fingerprint took once is remembered."""

import contextlib
import json
from pathlib import Path
from typing import Any, Literal

from pixelbench.experiments.code_digest import code_digest
from pixelbench.experiments.provenance import versions
from pixelbench.files.atomic import write_json
from pixelbench.models.families import FAMILIES
from pixelbench.store.behaviour import differences
from pixelbench.store.record import Record
from pixelbench.store.spec import RunSpec

Staleness = Literal["current", "stale", "unverified"]


class KnownCode:
    """Knowledge in a store of the present code: the fingerprints that were taken of it, by cell and digest of the code."""

    def __init__(self, store: Path):
        self._folder = store / "work" / "behaviour"

    def verdict(self, record: Record) -> Staleness:
        """`current` where the code is the same but for comments, or computes the same; `unverified` where nobody has looked yet, or where
        the record has no fingerprint to look at."""
        if FAMILIES.get(record.variant.family) is None:
            return "unverified"
        if record.schema > 1 and record.provenance.source_digest == code_digest(record.variant.family):
            return "current"
        found = self.differences(record)
        return "unverified" if found is None else "stale" if found else "current"

    def differences(self, record: Record) -> list[str] | None:
        """In what the present code computes something else than the code that executed the run; None where that is not known."""
        known = None if record.behaviour is None else self.recall(record.spec)
        if record.behaviour is None or known is None:
            return None
        with contextlib.suppress(ValueError):  # of another form: to be taken again
            return differences(record.behaviour, known)
        return None

    def recall(self, spec: RunSpec) -> dict[str, Any] | None:
        """The present code's fingerprint of a cell, where it was taken."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            found = json.loads(self._path(spec).read_bytes())
            return found if isinstance(found, dict) else None
        return None

    def remember(self, spec: RunSpec, fingerprint: dict[str, Any]) -> None:
        """Keep a fingerprint that was just taken; a store that cannot be written only costs time later."""
        with contextlib.suppress(OSError):
            write_json(self._path(spec), fingerprint)

    def _path(self, spec: RunSpec) -> Path:
        return self._folder / f"{code_digest(spec.family)[:16]}-torch-{versions().get('torch', 'none')}" / f"{spec.cell_key}.json"
