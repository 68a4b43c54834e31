"""One run that nothing disturbed, to hold all others against."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.disturbed import execute, numbers, status_of
from tests.support.fingerprints import made_up_fingerprint


@pytest.fixture(scope="module")
def _present_code() -> Iterator[None]:
    """No run takes a fingerprint of the code, which would take longer than the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixelbench.experiments.run.in_progress.present_behaviour", lambda spec, store: made_up_fingerprint(1.0))
        yield


@pytest.fixture(scope="module")
def undisturbed(_present_code: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its store."""
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    assert status_of(execute(store)) == "done"
    return store


@pytest.fixture(scope="module")
def expected(undisturbed: Path) -> dict[str, Any]:
    """Its numbers."""
    return numbers(undisturbed)


@pytest.fixture
def store(undisturbed: Path, tmp_path: Path) -> Path:
    """A store that holds nothing but the certificate of the narrow copy, so that a run is quick."""
    certificates = undisturbed / "work" / "certificates"
    (tmp_path / "store" / "work" / "certificates").mkdir(parents=True)
    for path in certificates.iterdir():
        (tmp_path / "store" / "work" / "certificates" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "store"
