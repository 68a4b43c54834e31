"""How long a check has taken and may still take."""

import time


class Clock:
    """Time spent since it was made, and how much of what was given is left."""

    def __init__(self, seconds: float | None) -> None:
        self._started = time.monotonic()
        self._given = seconds

    @property
    def spent(self) -> float:
        """Seconds."""
        return time.monotonic() - self._started

    @property
    def left(self) -> float:
        """Seconds; infinite where none were given."""
        return float("inf") if self._given is None else self._given - self.spent
