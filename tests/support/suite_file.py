"""A small suite whose runs the fake executor executes."""

from pathlib import Path

from pixelbench.experiments.plan import Plan, make_plan
from pixelbench.suites.load import load_suite

TEXT = """
name = "tiny"
default_budget = "cpu"
seeds = [1, 2]
[recipe]
learning_rate = 4e-3
[budget.cpu]
updates = 10
[budget.smoke]
updates = 2
settings = { maps = 4 }
[[task]]
name = "digits"
settings = { maps = 8, layers = 1 }
[[variant]]
name = "uniform"
family = "uniform"
[[variant]]
name = "gated-pixelcnn"
family = "gated-pixelcnn"
"""


def write_suite(folder: Path, text: str = TEXT) -> str:
    path = folder / "tiny.toml"
    path.write_text(text)
    return str(path)


def tiny_plan(folder: Path, seeds: list[int], **choices: object) -> Plan:
    """Runs of `uniform` in `folder/runs`, one a seed."""
    return make_plan(load_suite(write_suite(folder)), folder / "runs", seeds=seeds, only=["uniform"], **choices)  # type: ignore[arg-type]
