"""Stored runs with real weights and real nats of real test images, in a fraction of a second: nothing is trained, nothing certified."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pixelbench.data import TaskData, get_task
from pixelbench.experiments import stages
from pixelbench.models.families import get_family
from pixelbench.store.artifacts import NATS, WEIGHTS
from pixelbench.store.record import Provenance
from pixelbench.store.scan import StoredRun, scan
from pixelbench.training.checkpoint import module_tensors, pack
from tests.support.record_factory import ask, leave, nats_file, record_of

#: Of everything that a family has, so that it takes no time.
SMALL = {"layers": 2, "maps": 9, "head_maps": 9, "hidden": 20}


def add_model(
    store: Path, variant: str, *, family: str | None = None, task: str = "digits", n: int = 12, scale: float = 1.0, **settings: Any
) -> StoredRun:
    """A run of a freshly made model, its weights times `scale`, that has scored `n` test images."""
    kind = get_family(family or variant)
    names = kind.settings.__dataclass_fields__
    leaky = settings.get("first_layer", "causal") != "causal"
    spec = ask(
        variant,
        task=task,
        family=kind.name,
        settings={**{name: value for name, value in SMALL.items() if name in names}, **settings},
        evaluation={"test_images": n, "sequential_images": 2},
        expect="leaky" if leaky else "causal",
    )
    whole = get_task(task).load()
    data = stages.limited(TaskData(whole.train[:200], whole.validation[:10], whole.test), spec)
    model = stages.build(spec)
    if kind.kind == "fitted":
        stages.fit(model, data, spec, redrawn=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    scores = stages.evaluate(model, data, spec, leaky=leaky)
    likelihood, sequential = scores.to_record()
    record = record_of(spec, causal="leaky" if leaky else None, provenance=Provenance("cpu", "5" * 64))
    files = {NATS: nats_file(scores.test.nats, data.test.clusters), WEIGHTS: pack(module_tensors("model", model), {"run_key": spec.key})}
    leave(store, replace(record, likelihood=likelihood, sequential=sequential), files)
    return scan(store, cached=False).examine([spec.key])[spec.key]


def digest_of(run: StoredRun) -> str:
    """SHA-256 of its weights' file."""
    return hashlib.sha256((run.folder / WEIGHTS).read_bytes()).hexdigest()
