"""Whether a run's training is compiled: as its command says, or as measured once, before its first update."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import torch

from pixelbench.errors import UserError
from pixelbench.files.atomic import write_json
from pixelbench.training.compilers import Compile, why_not
from pixelbench.training.compiling import MiscompiledError, measure_compiled
from pixelbench.training.loop import Trainer

#: What an attempt found out: the next one goes on in the same way, so that a run that was cut off ends in the same numbers.
DECISION = "compile.json"


def compile_training(requested: Compile, trainer: Trainer, work: Path, note: Callable[[str], None]) -> bool:
    """Compile the loss where that is asked for, or measured to pay; returns whether it was.

    Args:
        requested: `auto` measures for two seconds, once a run.
        trainer: before it goes on.
        work: the run's folder for what is not kept.
        note: takes a sentence for the log: what was measured.

    Raises:
        UserError: `on`, and the compiler makes another network of this one.
    """
    if requested == "off" or (requested == "auto" and not _pays(trainer, work, note)):
        return False
    try:
        trainer.compile()
    except MiscompiledError as fault:
        if requested == "on":
            raise UserError(f"--compile on: what torch {torch.__version__} makes of this network here is another one: {fault}.") from None
        note(f"not compiled: what torch {torch.__version__} makes of this network here is another one, {fault}")
        return False
    return True


def forget_decision(work: Path) -> None:
    """The run is done."""
    (work / DECISION).unlink(missing_ok=True)


def _pays(trainer: Trainer, work: Path, note: Callable[[str], None]) -> bool:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads((work / DECISION).read_text())["compiled"])
    missing = why_not(trainer.model.device.type)
    if missing is None and len(trainer.parts) > 1:
        missing = "it is trained in micro-batches"
    if missing is not None:
        note(f"not compiled: {missing}")
        return False
    found = measure_compiled(trainer.model, trainer.first_batch(), trainer.plan.updates, autocast=trainer.recipe.precision == "bf16")
    note(f"{'compiled' if found.pays else 'not compiled'}: {found.said}")
    write_json(work / DECISION, {"compiled": found.pays})
    return found.pays
