"""What the present code is said to compute, so that a run takes no fingerprint of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fingerprints import made_up_fingerprint


@pytest.fixture(scope="module")
def present_code() -> Iterator[dict[str, Any]]:
    """The fingerprint of the present code, of every run."""
    fingerprint = made_up_fingerprint(1.5, 2.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixelbench.experiments.run.in_progress.present_behaviour", lambda spec, store: fingerprint)
        yield fingerprint
