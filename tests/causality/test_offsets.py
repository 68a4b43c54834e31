"""The map by offset, against counting one pair at a time."""

import numpy as np
import pytest

from pixelbench.causality.analysis.offsets import pair_keys, tally
from tests.causality.handmade import evidence_of

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 4), (3, 4, 2), (2, 1, 5)])
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_pairs_are_counted_at_their_offset(shape: tuple[int, int, int], share: float) -> None:
    random = np.random.default_rng(0)
    channels, height, width = shape
    total = channels * height * width
    positions = np.flatnonzero(random.random(total) < share) if share < 1 else np.arange(total)
    dependence = random.random((total, total)) < 0.5
    offsets = tally(evidence_of(dependence, shape, positions))
    probed, seen = np.zeros_like(offsets.probed), np.zeros_like(offsets.seen)
    for output in range(total):
        for source in positions.tolist():
            (o, out), (i, into) = divmod(output, channels), divmod(source, channels)
            kind = out, into, i // width - o // width + height - 1, i % width - o % width + width - 1
            probed[kind] += 1
            seen[kind] += dependence[output, source]
            assert offsets.earlier[kind] == (source < output)
            assert np.unravel_index(pair_keys(np.array(output), np.array(source), shape), probed.shape) == kind
    assert np.array_equal(offsets.probed, probed)
    assert np.array_equal(offsets.seen, seen)
    assert np.array_equal(offsets.missing, offsets.earlier & (probed > 0) & (seen == 0))
    assert np.array_equal(offsets.leaks, ~offsets.earlier & (seen > 0))


def test_coordinates_are_colours_and_the_offset_of_the_input_minus_the_output() -> None:
    dependence = np.zeros((24, 24), dtype=bool)
    dependence[1, 17] = True  # G at (0, 0) sees B at (1, 1) of a 2x4 image
    offsets = tally(evidence_of(dependence, (3, 2, 4)))
    assert offsets.coordinates(offsets.leaks).tolist() == [[1, 2, 1, 1]]
