"""Interleaved rounds: every action is timed once, then all of them again, so that each sees the same machine."""

import time
from collections.abc import Callable, Mapping

from torch.utils.benchmark.utils.timer import timer  # waits for the device, where there is one

from pixelbench.experiments.bench.actions import Do

LEAST_ROUNDS, MOST_ROUNDS = 5, 30
#: Shorter calls are repeated within a round until they take so long: a clock and its callers take microseconds.
_LEAST_SECONDS = 5e-3
#: Batches are doubled until images a second rise by less than this factor, twice.
_WORTH = 1.1


def timed(action: Do, repeats: int = 1) -> float:
    """Seconds of a call, the mean of so many."""
    began = timer()
    for _ in range(repeats):
        action()
    return (timer() - began) / repeats


def in_rounds(actions: Mapping[str, Do], seconds: float, progress: Callable[[int], None] = lambda done: None) -> dict[str, list[float]]:
    """Seconds of a call of each action, round by round, for about so long: at least `LEAST_ROUNDS`, whatever they take.

    The first call of each warms up and is not counted.
    """
    repeats = {}
    for name, action in actions.items():
        action()
        repeats[name] = max(1, round(_LEAST_SECONDS / timed(action)))
    found: dict[str, list[float]] = {name: [] for name in actions}
    began = time.monotonic()
    for done in range(MOST_ROUNDS):
        if done >= LEAST_ROUNDS and time.monotonic() - began >= seconds:
            break
        progress(done)
        for name, action in actions.items():
            found[name].append(timed(action, repeats[name]))
    return found


def best_batch(draw: Callable[[int], float], *, most_seconds: float, most_images: int) -> list[tuple[int, float]]:
    """(images, seconds) of 1, 2, 4, … images drawn at once, as far as it is worth it.

    Doubling ends where two steps in a row bring less than a tenth more images a second, and before a call that would take longer than
    `most_seconds`, if it takes twice as long as the one before, or draw more than `most_images`.

    Args:
        draw: draws so many images and says how long that took.
        most_seconds: of one call.
        most_images: that fit into memory; one is always drawn.
    """
    draw(1)  # warms up
    found, idle = [(1, draw(1))], 0
    while idle < 2 and 2 * found[-1][0] <= most_images and 2 * found[-1][1] <= most_seconds:
        images, seconds = found[-1]
        found.append((2 * images, draw(2 * images)))
        idle = 0 if 2 * seconds >= _WORTH * found[-1][1] else idle + 1
    return found
