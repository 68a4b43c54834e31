"""When a silent worker hangs: by the parent's own waking time, and by how long the worker's updates take."""

import time

#: A worker may be silent for so long, or for so many times its longest update, whichever is more.
SILENT_SECONDS, SILENT_UPDATES = 600.0, 20
#: A longer step between two looks at the clock means that this process was suspended; no worker is to blame for that.
LONGEST_STEP = 5.0


class WakingTime:
    """Seconds for which this process was awake, as far as it looked at the clock every few seconds."""

    def __init__(self) -> None:
        self._last, self._seconds = time.monotonic(), 0.0

    def now(self) -> float:
        """Seconds since it was made, without those of a suspension."""
        last, self._last = self._last, time.monotonic()
        self._seconds += min(self._last - last, LONGEST_STEP)
        return self._seconds


def allowed_silence(longest_update: float) -> float:
    """Seconds that a worker may be silent if its longest update so far took `longest_update` seconds."""
    return max(SILENT_SECONDS, SILENT_UPDATES * longest_update)
