"""The real executor, storing a checkpoint after every update, so that a kill always finds one half done."""

from typing import Any

from pixelbench.experiments.run import execute as module
from pixelbench.experiments.run import in_progress
from pixelbench.training import loop
from tests.support.fingerprints import made_up_fingerprint

NAME = "tests.support.eager_executor:execute"


def execute(*arguments: Any, **named: Any) -> str:
    loop.CHECKPOINT_SECONDS = 0.0
    loop.CHECKPOINT_SHARE = 1e9
    in_progress.present_behaviour = lambda spec, store: made_up_fingerprint(1.0)  # the same in every process
    return module.execute(*arguments, **named)
