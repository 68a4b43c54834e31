"""One Slurm for all tests of the marker `slurm`; for the others its commands, faked."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.fake_slurm import FakeSlurm
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


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    (tmp_path / "bin").mkdir()
    return FakeSlurm(tmp_path / "bin", monkeypatch)
