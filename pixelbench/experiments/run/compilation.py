"""Whether a run's training is compiled: as its command says, or as measured once, before its first update."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from pixelbench.files.atomic import write_json
from pixelbench.training.compilers import Compile, why_not
from pixelbench.training.compiling import measure_compiled
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
    """
    compiled = requested == "on" or (requested == "auto" and _pays(trainer, work, note))
    if compiled:
        trainer.compile()
    return compiled


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
