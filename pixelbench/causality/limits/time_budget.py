"""How long a check has taken and may still take."""

import time

_MOST_LOAD = 10.0


class TimeBudget:
    """Time spent since it was made, and how much of what was given is left."""

    def __init__(self, seconds: float | None) -> None:
        self._started, self._processor = time.monotonic(), time.process_time()
        self._given = seconds

    @property
    def spent(self) -> float:
        """Seconds."""
        return time.monotonic() - self._started

    @property
    def load(self) -> float:
        """How much longer than on an idle machine things take, from 1 to 10: time spent for each second of the processor's."""
        processor = time.process_time() - self._processor
        return min(max(self.spent / max(processor, 1e-3), 1.0), _MOST_LOAD)

    @property
    def left(self) -> float:
        """Seconds; infinite where none were given."""
        return float("inf") if self._given is None else self._given - self.spent
