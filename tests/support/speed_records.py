"""Measurements of speed as `pixelbench bench` would leave them, with noise of a given size."""

from dataclasses import replace
from typing import Any

import numpy as np

from pixelbench.store.documents.bench_records import SpeedRecord, Subject, Timing

SUBJECT = Subject("gated-pixelcnn", 1, {"layers": 2}, (1, 8, 8), 2, 16, {"batch": 16}, "fp32")
#: Seconds of a call, its images and its work.
USUAL: dict[str, tuple[float, int, int | None]] = {
    "training": (0.2, 16, 10**9),
    "scoring": (0.05, 16, 3 * 10**8),
    "sampling": (0.02, 1, None),
    "sampling-best": (0.1, 32, None),
    "forward": (0.01, 1, None),
    "forward-best": (0.08, 32, None),
    "product": (0.01, 0, 2 * 10**9),
    "convolution": (0.02, 0, 3 * 10**9),
}


def speed_record(
    seed: int = 0, *, rounds: int = 12, noise: float = 0.05, slower: dict[str, float] | None = None, machine: float = 1.0, **changes: Any
) -> SpeedRecord:
    """A record of the usual seconds: `slower` by action, all of them times `machine`, each round with its own noise, mostly upward."""
    rng = np.random.default_rng(seed)
    timings = {}
    for name, (seconds, images, flop) in USUAL.items():
        drawn = seconds * machine * (slower or {}).get(name, 1.0) * (1 + noise * rng.exponential(size=rounds))
        timings[name] = Timing(tuple(map(float, drawn)), images, flop)
    record = SpeedRecord(
        name="gated-pixelcnn",
        subject=SUBJECT,
        device="cpu (Some Processor)",
        threads=2,
        timings=timings,
        memory={"start": 200 << 20, "training": 300 << 20, "all": 320 << 20},
        parameters=1234,
        cached=True,
        tried=((1, 0.02), (2, 0.03)),
        measured="2026-11-29T00:00:00+00:00",
        git_commit="0" * 40,
        git_dirty=False,
        versions={"torch": "2.13.0"},
    )
    return replace(record, **changes)
