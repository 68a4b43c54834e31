"""The engine's own laws: which positions come first, what is found on further images, time that is kept."""

import time

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pixelbench.causality.analysis.offsets import tally
from pixelbench.causality.check import measure
from pixelbench.causality.probing.effects import Reference, relative_change
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.probing.positions import by_importance
from pixelbench.causality.probing.probes import Probes
from pixelbench.causality.probing.raster import flat
from pixelbench.errors import UserError
from tests.causality.nets import LEVELS, Extra, Net


def test_the_first_positions_are_telling_and_all_come_once() -> None:
    shape = (3, 16, 20)
    order = by_importance(np.arange(960), shape, 0)
    assert sorted(order.tolist()) == list(range(960))
    rows, columns, colours = order // 60, order // 3 % 20, order % 3
    assert [(rows[i], columns[i], colours[i]) for i in range(3)] == [(8, 10, 0), (8, 10, 1), (8, 10, 2)]
    early = {(int(r), int(c)) for r, c in zip(rows[:12], columns[:12], strict=True)}
    assert {(0, 0), (0, 19), (15, 0), (15, 19)} <= early
    residues = {(int(r) % 4, int(c) % 4) for r, c in zip(rows[:72], columns[:72], strict=True)}
    assert len(residues) == 16


def test_given_places_keep_their_order_of_importance() -> None:
    order = by_importance(np.array([0, 7, 11]), (1, 3, 4), 0)
    assert sorted(order.tolist()) == [0, 7, 11]
    assert order.tolist()[:2] == [0, 11]


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 5), (2, 6, 1)])
def test_thin_shapes_have_an_order_too(shape: tuple[int, int, int]) -> None:
    total = int(np.prod(shape))
    assert sorted(by_importance(np.arange(total), shape, 3).tolist()) == list(range(total))


def test_a_change_changes_one_sub_pixel_only() -> None:
    probes = Probes((3, 4, 5), 7, ("zeros", "random"), 60, 0)
    positions = np.arange(60)
    for base in probes.single:
        for images in probes.changes(base, positions):
            assert np.array_equal(flat(images) != flat(base.image)[None], np.eye(60, dtype=bool))


def test_large_images_are_exchanged_once_a_pixel_and_small_ones_everywhere() -> None:
    large, small = Probes((3, 32, 32), 256, ("random", "joint"), 3072, 0), Probes((3, 4, 5), 256, ("random", "joint"), 60, 0)
    cut = large.cuts(np.arange(3072))
    assert (cut.reshape(1024, 3).sum(1) == 1).all()
    assert cut.reshape(1024, 3).sum(0).min() > 300
    assert "one sub-pixel of each pixel" in large.sentence(3072, 0)
    assert small.cuts(np.arange(60)).all()


def test_changes_are_the_same_in_any_chunk_and_layout() -> None:
    torch.manual_seed(0)
    base, changed = torch.randn(3, 200, 3, 32, 32, dtype=torch.float64), torch.randn(3, 200, 3, 32, 32, dtype=torch.float64)
    expected = (base - changed).abs().amax(1) / torch.maximum(base.abs(), changed.abs()).amax((1, 2, 3, 4))[:, None, None, None]
    expected = expected.permute(0, 2, 3, 1).flatten(1).numpy()
    assert np.array_equal(Reference(base).change(changed), expected)
    strided = base.transpose(1, 2).contiguous().transpose(1, 2)
    assert np.array_equal(Reference(strided).change(changed), expected)
    assert np.array_equal(relative_change(base[:1], changed)[0], expected[0])


class RarelySeen(Net):
    """Sees the pixel two above, but only where its value and the one on its left are both high."""

    def forward(self, images: Tensor) -> Tensor:
        x = self.enter(images)
        high = torch.relu(x + x.roll(1, -1) - 1.6)
        return super().forward(images) + torch.nn.functional.pad(high[:, :, :-3], (0, 0, 3, 0))[:, None]


def test_what_shows_on_few_images_only_is_no_blind_spot() -> None:
    evidence = measured(RarelySeen(1), (1, 7, 8))
    assert tally(evidence).seen[0, 0, 6 - 3, 7] > 0
    assert not evidence.leaking.any()


def test_resampling_is_said_where_something_is_missing_only() -> None:
    assert "probed again on" in measured(Net(1), (1, 7, 8)).method.probes
    assert "probed again on" not in measured(Net(1), (1, 1, 1)).method.probes


class Slow(Net):
    """Takes 20 ms an image."""

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(0.02 * len(images))
        return super().forward(images)


def test_a_check_says_what_it_reached_and_takes_the_telling_ones_first() -> None:
    evidence = measured(Slow(3), (3, 16, 20), seconds=2.0)
    count = len(evidence.positions)
    assert 1 <= count < 960
    assert not evidence.complete
    assert f"{count} of 960 sub-pixels (corners, borders" in evidence.method.probes
    assert "1 a batch" in evidence.method.probes
    assert set(evidence.positions.tolist()) == set(by_importance(np.arange(960), (3, 16, 20), 0)[:count].tolist())


def test_enough_time_is_the_same_as_any() -> None:
    assert measured(Net(1), (1, 4, 5), seconds=600.0).complete


def test_a_leak_is_found_by_the_first_positions() -> None:
    evidence = measured(Extra(3, lambda x: 1e-9 * x), (3, 16, 20), seconds=1e-9)
    assert not evidence.complete
    assert evidence.leaking.any()


class Silent(nn.Module):
    """Sees nothing."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.zeros(images[:, None].shape)


def test_outputs_of_zero_are_compared_without_a_division_by_zero() -> None:
    evidence = measured(Silent(), (1, 3, 3))
    assert evidence.effects.max() == 0.0
    assert evidence.noise == 0.0


def test_time_must_be_positive() -> None:
    with pytest.raises(UserError, match="seconds must be more than 0"):
        measured(Net(1), (1, 3, 4), seconds=-1.0)


def measured(module: nn.Module, shape: tuple[int, int, int], **options) -> Evidence:
    torch.manual_seed(5)
    return measure(module, shape, levels=LEVELS, input="int", output="b k c h w", **options)
