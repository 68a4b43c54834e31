"""Files of weights as training programs leave them: a state dict somewhere in it, under the names of one wrapper or several."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pixelbench.errors import UserError
from pixelbench.experiments.evaluating.weights import load_weights

pytestmark = pytest.mark.quick

STATE = nn.Linear(2, 2).state_dict()


def under(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in STATE.items()}


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model": STATE, "loss": torch.tensor(0.5)},
        {"step": torch.tensor(7), "checkpoint": 1, "model": {"state_dict": STATE, "ema_decay": torch.tensor(0.999)}},
        under("module."),
        under("module._orig_mod."),
        {"state_dict": under("model._orig_mod."), "pytorch-lightning_version": "2.5"},
    ],
    ids=["plain", "held", "a loss beside", "held twice", "DDP", "DDP of compiled", "Lightning of compiled"],
)
def test_the_state_dict_is_found(content: dict[str, Any], tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    net = nn.Linear(2, 2)
    load_weights(net, tmp_path / "w.pt")
    assert all(torch.equal(value, STATE[name]) for name, value in net.state_dict().items())


def test_a_prefix_of_the_modules_own_stays(tmp_path: Path) -> None:
    net = nn.ModuleDict({"model": nn.Linear(2, 2)})
    torch.save(under("model."), tmp_path / "w.pt")
    load_weights(net, tmp_path / "w.pt")
    torch.save(under("other."), tmp_path / "w.pt")
    with pytest.raises(UserError, match="2 missing"):
        load_weights(net, tmp_path / "w.pt")
