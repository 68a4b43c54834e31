"""The real executor, storing a checkpoint after every update, so that a kill always finds one half done."""

from typing import Any

from pixelbench.experiments.execute import execute as real
from pixelbench.training import loop

NAME = "eager_executor:execute"


def execute(*arguments: Any, **named: Any) -> str:
    loop.CHECKPOINT_SECONDS = 0.0
    loop.CHECKPOINT_SHARE = 1e9
    return real(*arguments, **named)
