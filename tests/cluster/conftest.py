"""One Slurm for all tests of the marker `slurm`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.one_node import CannotStartError, OneNode


@pytest.fixture(scope="session")
def cluster() -> Iterator[OneNode]:
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:  # short, as names of sockets must be
        try:
            running = OneNode(Path(folder))
        except CannotStartError as error:
            pytest.skip(f"no Slurm can be started here: {error}")
        try:
            yield running
        finally:
            running.stop()
