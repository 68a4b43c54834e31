"""How many threads a check runs on: more than one only where they pay, since idle ones spin, and two checks side by side then wait."""

import contextlib
import os
import time
from collections.abc import Iterator

import numpy as np
import torch

from pixelbench.causality.module.repeatable import Subject

#: Several threads must be faster than one by this factor.
_PAYS = 1.3


@contextlib.contextmanager
def threads_that_pay(subject: Subject, images: np.ndarray) -> Iterator[None]:
    """Inside, one thread, or as many as before and at most as there are free cores, where a call on these images is faster with them."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    try:
        torch.set_num_threads(1)
        alone = _seconds(subject, images)
        several = max(1, min(before, _free_cores()))
        torch.set_num_threads(several)
        if several > 1 and _PAYS * _seconds(subject, images) > alone:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(subject: Subject, images: np.ndarray) -> float:
    subject(images)
    began = time.perf_counter()
    subject(images)
    return time.perf_counter() - began


def _free_cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return cores - round(busy)
