"""Shared by all tests: one thread, so that results do not depend on how many cores there are; no network, and no folder of the user's."""

import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="pixelbench-tests-")
os.environ["PIXELBENCH_MIRROR"] = "http://127.0.0.1:9"  # nothing listens there, so a download fails at once
