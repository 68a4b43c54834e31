"""Is the code still the one that executed the stored runs, and do the weights that they keep give the numbers that they state?"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.experiments.stored import load_run
from pixelbench.experiments.verify.adds_up import Behaviour, Progress, Rescored
from pixelbench.experiments.verify.fingerprint import fingerprint
from pixelbench.experiments.verify.staleness import KnownCode
from pixelbench.models.families import FAMILIES
from pixelbench.models.scoring import largest_batch
from pixelbench.store.artifacts import WEIGHTS, weights_path
from pixelbench.store.behaviour import differences
from pixelbench.store.scan import Scan, StoredRun

#: What a likelihood scored again may differ by, relative to the image's nats or to one nat: float32 on another machine.
TOLERANCE = 1e-4


def verify_behaviour(found: Scan, progress: Progress = lambda *told: None) -> tuple[Behaviour, ...]:
    """Take the present code's fingerprint of every cell once, and hold the finished runs of the store against it.

    What it finds is remembered in the store, so that `run` and `plan` know it too.
    """
    groups: dict[tuple[str, str], list[StoredRun]] = {}
    for run in found.values():
        if run.record.status == "done" and not run.doubts:
            groups.setdefault((run.record.spec.cell_key, run.record.code), []).append(run)
    known, judged = KnownCode(found.store), []
    for done, runs in enumerate(groups.values()):
        record = runs[0].record
        progress(f"{record.task.name}/{record.variant.name}", done, len(groups))
        labels, keys = tuple(run.record.spec.label for run in runs), tuple(run.record.run_key for run in runs)
        if record.behaviour is None or FAMILIES.get(record.variant.family) is None:
            judged.append(Behaviour(labels, keys, "unverified"))
            continue
        present = fingerprint(record.spec)
        known.remember(record.spec, present)
        differing = tuple(_differences(record.behaviour, present))
        judged.append(Behaviour(labels, keys, "stale" if differing else "current", differing))
    return tuple(judged)


def rescore(found: Scan, most: int | None, progress: Progress = lambda *told: None) -> Iterator[Rescored]:
    """Score the finished runs whose weights lie beside their records on their test images, and compare image by image.

    Args:
        found: a store that was examined.
        most: so many test images a run at most; None: all that the run scored.
        progress: see `Progress`.
    """
    chosen = [run for run in found.values() if run.record.status == "done" and not run.doubts and weights_path(run.folder).is_file()]
    for done, run in enumerate(chosen):
        progress(run.record.spec.label, done, len(chosen))
        yield _rescored(run, most)


def _differences(stored: dict[str, Any], present: dict[str, Any]) -> list[str]:
    try:
        return differences(stored, present)
    except ValueError as error:
        return [str(error)]


def _rescored(run: StoredRun, most: int | None) -> Rescored:
    label, key = run.record.spec.label, run.record.run_key
    if WEIGHTS in run.damaged:
        return Rescored(label, key, 0, None, False, f"{WEIGHTS} {run.damaged[WEIGHTS]}")
    try:
        return _compared(run, label, most)
    except UserError as error:
        return Rescored(label, key, 0, None, False, str(error))


def _compared(run: StoredRun, label: str, most: int | None) -> Rescored:
    kept = run.nats()
    if kept is None:
        raise UserError("Its nats are not kept, so there is nothing to compare with.")
    task = get_task(run.record.task.name)
    if said := task.missing():
        raise UserError(said)
    model = load_run(run)
    images = len(kept[0]) if most is None else min(most, len(kept[0]))
    if model.latent:  # whole batches as in the run, since the draws of an image depend on its batch
        batch = largest_batch(model)
        images = min(len(kept[0]), math.ceil(images / batch) * batch)
    data = stages.limited(task.load(), run.record.spec)
    again = stages.score_test(model, data.test[:images], run.record.spec).nats
    largest = np.abs(again - kept[0][:images]) / np.maximum(1.0, np.abs(kept[0][:images]))
    difference = float(np.abs(again - kept[0][:images]).max())
    holds = bool(np.isfinite(again).all() and largest.max() <= TOLERANCE)
    reason = "" if holds else f"{int((~(largest <= TOLERANCE)).sum()):,} of {images:,} images have another likelihood"
    return Rescored(label, run.record.run_key, images, difference if math.isfinite(difference) else None, holds, reason)
