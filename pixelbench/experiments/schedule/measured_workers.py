"""How many workers of how many threads execute a plan fastest on this CPU, measured in two seconds.

Many threads help large products; in small networks they wait for each other. What is measured is a training step of the plan's longest
run with 1, 2, 4, … threads, alone: workers side by side also share caches, which speaks for fewer threads, so that of about equals the
fewest are taken.

The number of threads decides the last bits of a result, so the choice is kept in the store: a command that goes on after a kill, or makes
the runs that are left, works as the first one did.
"""

import contextlib
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pixelbench.experiments.bench.subjects import Named, subject_of
from pixelbench.experiments.devices import allowed_threads, available_cores
from pixelbench.experiments.plan import Plan
from pixelbench.files.atomic import write_json

_SECONDS = 2.0
_LEAST_STEPS = 3
#: About equal: so much slower a choice of fewer threads may be.
_ABOUT = 0.95
#: Unless more are asked for by their number.
MOST_WORKERS = 8


Rates = Callable[[Named, list[int]], Mapping[int, float]]


def measured_workers(plan: Plan, note: Callable[[str], None], rates: Rates | None = None) -> tuple[int, int]:
    """Workers, and threads of each, for a plan on the CPU; a store that has a choice for these runs and cores keeps to it.

    Args:
        plan: its cells, also those that are stored.
        note: takes a sentence with what was chosen, and why.
        rates: steps a second of a subject by number of threads; by default as measured here.
    """
    cores = max(1, min(available_cores(), allowed_threads() or available_cores()))
    path, key = plan.store / "work" / "workers.json", _key(plan, cores)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        stored = json.loads(path.read_text())[key]
        workers, threads = int(stored["workers"]), int(stored["threads"])
        if min(workers, threads) >= 1:
            note(f"{_said(workers, threads)}, as was measured when these runs began.")
            return workers, threads
    trained = [cell for cell in plan.cells if cell.spec.recipe]
    if not trained or cores == 1:
        workers = min(cores, len(plan.cells), MOST_WORKERS)
        note(f"{_said(workers, 1)}: {'one core' if cores == 1 else 'nothing is trained'}, so there is nothing to measure.")
        return workers, 1
    longest = max(trained, key=lambda cell: cell.work)
    counts = [1 << power for power in range(cores.bit_length()) if 1 << power <= cores]
    measured = (rates or steps_a_second)(Named(longest.spec.label, subject_of(longest.spec)), counts)
    workers, threads = chosen(measured, len(plan.cells), cores)
    each = ", ".join(f"{rate:.3g} with {count}" for count, rate in measured.items())
    note(f"{_said(workers, threads)}: {longest.spec.label} makes {each} updates a second by threads.")
    _keep(path, key, workers, threads)
    return workers, threads


def chosen(rates: Mapping[int, float], cells: int, cores: int) -> tuple[int, int]:
    """Workers and threads with the most steps a second in all; of about equals the fewest threads."""
    totals = {count: min(cells, cores // count, MOST_WORKERS) * rate for count, rate in rates.items()}
    threads = min(count for count, total in totals.items() if total >= _ABOUT * max(totals.values()))
    return min(cells, cores // threads, MOST_WORKERS), threads


def steps_a_second(named: Named, counts: list[int]) -> dict[int, float]:
    """Training steps a second with each number of threads, by turns for about two seconds, in this process."""
    import torch

    from pixelbench.experiments.bench.actions import Actions
    from pixelbench.experiments.bench.rounds import timed

    step = Actions(named.subject, "cpu").training()
    assert step is not None, "only what is trained is measured"
    before, times = torch.get_num_threads(), {count: list[float]() for count in counts}
    try:
        step()
        began = time.monotonic()
        while len(times[counts[-1]]) < _LEAST_STEPS or time.monotonic() - began < _SECONDS:
            for count in counts:
                torch.set_num_threads(count)
                times[count].append(timed(step))
    finally:
        torch.set_num_threads(before)
    return {count: 1 / statistics.median(found) for count, found in times.items()}


def _said(workers: int, threads: int) -> str:
    return f"{workers} worker{'' if workers == 1 else 's'} of {threads} thread{'' if threads == 1 else 's'}"


def _key(plan: Plan, cores: int) -> str:
    keys = sorted(cell.spec.key for cell in plan.cells)
    return hashlib.sha256(json.dumps([keys, cores]).encode()).hexdigest()[:24]


def _keep(path: Path, key: str, workers: int, threads: int) -> None:
    """Beside the choices for other plans; a damaged file is written again."""
    known: dict[str, object] = {}
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        known = found if isinstance(found, dict) else {}
    write_json(path, {**known, key: {"workers": workers, "threads": threads}})
