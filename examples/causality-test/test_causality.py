"""What runs in continuous integration: the network sees no pixel that it has yet to draw."""

import torch
from rows_net import RowsNet

from pixelbench.testing import assert_causal


def test_the_network_is_causal() -> None:
    torch.manual_seed(0)
    assert_causal(RowsNet(levels=4), (1, 6, 5), levels=4)


def test_it_is_causal_after_a_training_step() -> None:
    torch.manual_seed(0)
    assert_causal(RowsNet(levels=4), (1, 6, 5), levels=4, after_step=True)
