"""A place where packages of other people are installed."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from installed import Site  # type: ignore[import-not-found]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Nothing is installed in it yet."""
    for name in ("packages", "work"):
        (tmp_path / name).mkdir()
    return Site(tmp_path / "packages", tmp_path / "work")
