"""Shared by all tests: one thread, so that results do not depend on how many cores a machine has."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
