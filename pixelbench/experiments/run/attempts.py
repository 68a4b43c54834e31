"""How often a run's process died without getting any further, kept where the next process can read it."""

import contextlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pixelbench.files.atomic import write_json

#: So many deaths without a new checkpoint between them, and the run has failed.
MOST_DEATHS = 3
_NAME = "attempts.json"


@dataclass(frozen=True)
class Attempts:
    """The attempts at a run that is not finished."""

    deaths: int = 0
    """Deaths of its process in a row without a new checkpoint between them."""
    update: int = 0
    """The update of the newest checkpoint when it died last."""
    after: str | None = None
    """Digest of the record of an attempt that had ended, where this one began again at 0: checkpoints are newer than that record."""

    @classmethod
    def of(cls, folder: Path) -> "Attempts":
        """Those at the run in `folder`; none where nothing is kept, or it cannot be read."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            found = cls(**json.loads((folder / "work" / _NAME).read_bytes()))
            if type(found.deaths) is int and type(found.update) is int:
                return found
        return cls()

    def died(self, update: int) -> "Attempts":
        """With one more death. `update`: of the newest checkpoint that the dead process wrote; 0 where it wrote none."""
        return replace(self, deaths=0, update=update) if update > self.update else replace(self, deaths=self.deaths + 1)

    @property
    def hopeless(self) -> bool:
        """It has died too often without getting any further."""
        return self.deaths >= MOST_DEATHS

    def keep(self, folder: Path) -> None:
        """Write them down.

        Raises:
            CannotWrite: the store cannot be written.
        """
        write_json(folder / "work" / _NAME, asdict(self))


def forget_attempts(folder: Path) -> None:
    """The run is finished."""
    (folder / "work" / _NAME).unlink(missing_ok=True)
