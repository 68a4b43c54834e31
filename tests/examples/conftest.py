"""A place where packages of other people are installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.installed import Site
from tests.support.warm import Warm, warm


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """What the commands of all tests are forked from."""
    with warm(tmp_path_factory.mktemp("interpreter")) as started:
        yield started


@pytest.fixture
def site(tmp_path: Path, interpreter: Warm) -> Site:
    """Nothing is installed in it yet."""
    return Site.empty(tmp_path, interpreter)
