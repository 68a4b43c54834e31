"""Where a run goes on from, and what it leaves on its way for a next attempt."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixelbench.errors import UserError
from pixelbench.experiments.run.attempts import Attempts, forget_attempts
from pixelbench.experiments.run.checkpoints import Checkpoints
from pixelbench.experiments.run.failure import ENVIRONMENT_ERRORS
from pixelbench.store.behaviour import differences
from pixelbench.store.record_file import read_record
from pixelbench.training.checkpoint import CheckpointError, DamagedCheckpoint
from pixelbench.training.loop import Trainer

Note = Callable[[str], None]


class Resumption:
    """The checkpoints of one run, as its attempts take them up and write them.

    Attributes:
        behaviour: the fingerprint of the present code, once it is known.
        saved: the update of the newest checkpoint that this attempt wrote, or 0.
    """

    def __init__(self, folder: Path, run_key: str, note: Note, on_saved: Callable[[int], None]) -> None:
        """`note` takes a sentence for the log, `on_saved` the update of each checkpoint."""
        self._folder, self._run_key, self._note, self._on_saved = folder, run_key, note, on_saved
        self._checkpoints = Checkpoints(folder / "work")
        self._unsaved = False
        self.behaviour: dict[str, Any] | None = None
        self.saved = 0

    @property
    def identity(self) -> str:
        """What a checkpoint says of its run: the key, and what the code computes."""
        return json.dumps([self._run_key, self.behaviour], sort_keys=True)

    def accepts(self, identity: str) -> bool:
        """Whether a checkpoint is of this run, by code that computes the same."""
        with contextlib.suppress(ValueError, TypeError):
            key, behaviour = json.loads(identity)
            return key == self._run_key and self.behaviour is not None and not differences(self.behaviour, behaviour)
        return False

    def forget_ended_attempt(self) -> None:
        """A run that is asked for again after its end starts again at 0; one that was cut off, interrupted, timed out or died goes on.

        So does one that started again and was cut off before it had a record of its own.
        """
        with contextlib.suppress(FileNotFoundError, UserError):
            record, attempts = read_record(self._folder), Attempts.of(self._folder)
            died = record.error is not None and record.error.type in ENVIRONMENT_ERRORS
            if record.status in ("done", "failed", "diverged") and not died and attempts.after != record.digest:
                self._checkpoints.forget()
                write_twice(lambda: Attempts(after=record.digest).keep(self._folder), self._note)

    def forget(self) -> None:
        """Nothing goes on from here: the run is done."""
        self._checkpoints.forget()
        forget_attempts(self._folder)

    def take_up(self, trainer: Trainer) -> None:
        """Go on from the newest checkpoint that is whole and of this run."""
        refused: list[str] = []
        how = "starting again"
        for path, found in self._checkpoints.stored():
            try:
                if isinstance(found, str):
                    raise DamagedCheckpoint(found)
                trainer.restore(found)
            except DamagedCheckpoint as fault:  # raised before anything was restored
                refused.append(f"damaged checkpoint {path.name} ({fault}), set aside as {self._checkpoints.put_away(path)}")
            except CheckpointError as fault:
                refused.append(str(fault))
            else:
                how = f"going on from update {trainer.update}"
                break
        if refused:
            self._note(f"{how}: {'; '.join(dict.fromkeys(refused))}")

    def save(self, trainer: Trainer, blob: bytes) -> None:
        """Store a checkpoint. One on the way that cannot be written is a note and tried again when the next is due; the last one must."""
        if trainer.status != "running":
            write_twice(lambda: self._checkpoints.save(blob), self._note)
        else:
            try:
                self._checkpoints.save(blob)
            except OSError as fault:
                if not self._unsaved:
                    self._note(f"checkpoint {self._checkpoints.newest.name} cannot be written ({fault.strerror}); training goes on without")
                self._unsaved = True
                return
        self.saved, self._unsaved = trainer.update, False
        self._on_saved(trainer.update)


def write_twice(write: Callable[[], None], note: Note) -> None:
    """Write a file that must be there, with a second try: some errors of a disk or a network do not come again."""
    try:
        write()
    except OSError as fault:
        name = Path(fault.filename).name if isinstance(fault.filename, str) else "a file"
        note(f"{name} cannot be written ({fault.strerror or fault}); trying once more")
        write()
