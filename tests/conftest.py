"""Shared by all tests: one thread, so that results do not depend on how many cores there are; no network, and no folder of the user's."""

import os
import tempfile

import pytest

from tests.support.tiers import mark_slow

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="pixelbench-tests-")
os.environ["PIXELBENCH_MIRROR"] = "http://127.0.0.1:9"  # nothing listens there, so a download fails at once


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, since a test that starts a program mostly waits for it."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(tryfirst=True)  # before -m decides
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_slow(items)
