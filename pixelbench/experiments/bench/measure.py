"""One subject from its settings to its record: memory, work, the best batch, and rounds in which everything is timed by turns."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import torch

from pixelbench.evaluation.sample_batches import affordable_images
from pixelbench.experiments.bench.actions import Actions, Do, convolution, flop_of, matrix_product
from pixelbench.experiments.bench.rounds import MOST_ROUNDS, best_batch, in_rounds, timed
from pixelbench.experiments.bench.subjects import Named
from pixelbench.experiments.cost import device_kind
from pixelbench.experiments.devices import processor_name
from pixelbench.experiments.provenance import device_title, git_state, versions
from pixelbench.experiments.run.memory import PeakMemory
from pixelbench.models.base import count_parameters
from pixelbench.store.documents.bench_records import SpeedRecord, Timing

#: Says what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]

#: Of the time for a subject: what one call that draws images may take.
_CALL_SHARE = 1 / 12
#: Training steps until their memory is looked at: the first makes the optimiser's state, the second holds it from the beginning.
_STEPS_BEFORE_MEMORY = 2


def measure(named: Named, device: str, seconds: float, progress: Progress = lambda what, done, total: None) -> SpeedRecord:
    """The speed of a subject on this device with this process's threads, in about so many seconds, or five rounds where they take longer.

    The process must be a fresh one: on a CPU its peak memory is what is reported.
    """
    progress("building", 0, 0)
    memory = PeakMemory(device)
    held = {"start": memory.bytes()}
    actions = Actions(named.subject, device)
    training, doing = actions.training(), dict[str, Do]()
    if training is not None:
        progress("training", 0, 0)
        for _ in range(_STEPS_BEFORE_MEMORY):
            training()
        doing["training"] = training
    held["training"] = memory.bytes()
    doing["scoring"] = actions.scoring()
    work = {name: flop_of(action) for name, action in doing.items()} if actions.model is not None else {}
    images = dict.fromkeys(doing, named.subject.batch)
    tried: list[tuple[int, float]] = []
    began = time.monotonic()
    if actions.model is not None and actions.model.factorised:
        tried = _add_sampling(actions, doing, images, seconds, progress)
    doing |= {"product": matrix_product(device, named.subject.precision), "convolution": convolution(device, named.subject.precision)}
    work |= {name: flop_of(doing[name]) for name in ("product", "convolution")}
    left = seconds - (time.monotonic() - began)
    found = in_rounds(doing, left, lambda done: progress("rounds", done, MOST_ROUNDS))
    held["all"] = memory.bytes()
    commit, dirty = git_state()
    return SpeedRecord(
        name=named.name,
        subject=named.subject,
        device=_titled(device),
        threads=torch.get_num_threads(),
        timings={name: Timing(tuple(times), images.get(name, 0), work.get(name)) for name, times in found.items()},  # type: ignore[misc]
        memory=held,  # type: ignore[arg-type]
        parameters=0 if actions.model is None else count_parameters(actions.model),
        cached=actions.cached,
        tried=tuple(tried),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        git_commit=commit,
        git_dirty=dirty,
        versions=versions(),
    )


def _add_sampling(
    actions: Actions, doing: dict[str, Do], images: dict[str, int], seconds: float, progress: Progress
) -> list[tuple[int, float]]:
    """What is timed of drawing images: with the incremental mode one image and the best batch, and one whole forward pass of both.

    Without that mode, or with a call that takes too long, an image is a forward pass for each sub-pixel, and that pass is timed alone.
    """
    model, most = actions.model, seconds * _CALL_SHARE
    assert model is not None
    doing["forward"], images["forward"] = actions.forward(1), 1
    doing["forward"]()
    if not actions.cached and timed(doing["forward"]) * actions.subject.dimensions > most:
        return []

    def draw(count: int) -> float:
        progress(f"drawing {count:,} at a time", 0, 0)
        return timed(actions.sampling(count))

    tried = best_batch(draw, most_seconds=most, most_images=affordable_images(model))
    best = max(tried, key=lambda each: each[0] / each[1])[0]
    doing |= {"sampling": actions.sampling(1), "sampling-best": actions.sampling(best), "forward-best": actions.forward(best)}
    images |= {"sampling": 1, "sampling-best": best, "forward-best": best}
    return tried


def _titled(device: str) -> str:
    """`cuda (NVIDIA H200)`, `cpu (AMD EPYC)`: without the number of the device."""
    if device.startswith("cuda"):
        return device_kind(device_title(device))
    name = processor_name()
    return f"cpu ({name})" if name else "cpu"
