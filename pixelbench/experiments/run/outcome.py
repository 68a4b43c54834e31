"""How the runs of a plan ended, and what to do next."""

from dataclasses import dataclass

from pixelbench.experiments.plan import PlannedRun


@dataclass(frozen=True)
class Outcome:
    """How the runs of a plan ended.

    Attributes:
        done, failed, timed_out, interrupted: by the status of the record; `failed` counts the diverged ones. A run that was killed in
            the middle counts as interrupted: its last checkpoint is there.
        elsewhere: those of them that another process executed meanwhile.
        remaining: never begun.
        left_to_others: other processes were still executing them when this one had waited for long enough.
        signal: the number of the signal that stopped it, such as 2 for Ctrl-C.
    """

    done: tuple[PlannedRun, ...] = ()
    failed: tuple[PlannedRun, ...] = ()
    timed_out: tuple[PlannedRun, ...] = ()
    interrupted: tuple[PlannedRun, ...] = ()
    elsewhere: tuple[PlannedRun, ...] = ()
    remaining: tuple[PlannedRun, ...] = ()
    left_to_others: tuple[PlannedRun, ...] = ()
    signal: int | None = None

    @property
    def stopped(self) -> bool:
        """By a signal."""
        return self.signal is not None

    @property
    def advice(self) -> str | None:
        """How to go on, where something is left to do."""
        left = len(self.interrupted) + len(self.remaining)
        if left:
            return f"{left} of {self._total} runs are left; what is finished is kept, and the same command goes on from there."
        if self.failed or self.timed_out:
            return f"{len(self.failed) + len(self.timed_out)} of {self._total} runs failed; `--rerun failed` tries them again."
        if self.left_to_others:
            return f"{len(self.left_to_others)} of {self._total} runs are executed by other processes, and left to them."
        return None

    @property
    def _total(self) -> int:
        return sum(len(cells) for cells in (self.done, self.failed, self.timed_out, self.interrupted, self.remaining, self.left_to_others))
