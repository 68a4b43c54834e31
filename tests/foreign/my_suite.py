"""A user's own tests. Not collected with those of PixelBench: tests/test_testing.py runs this file in a process of its own."""

import pytest
from my_model import make_broken, make_correct

from pixelbench.testing import assert_causal

SHAPE = (1, 8, 7)


def test_correct():
    assert_causal(make_correct(), SHAPE, levels=4)


def test_correct_in_both_modes_and_after_a_step():
    reports = assert_causal(make_correct(), shape=(1, 5, 4), levels=4, mode="both", after_step=True)
    assert [(report.mode, report.after_step) for report in reports] == [("eval", False), ("eval", True), ("train", False), ("train", True)]


def test_broken_is_found():
    with pytest.raises(AssertionError, match="sees-itself"):
        assert_causal(make_broken(), SHAPE, levels=4)


def test_broken():
    assert_causal(make_broken(), SHAPE, levels=4)


def test_blind_spot():
    assert_causal(make_correct(), SHAPE, levels=4, context="full")
