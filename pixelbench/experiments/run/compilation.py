"""Whether a run's training is compiled: as its command says, or as measured once, before its first update."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import torch

from pixelbench.files.atomic import write_json
from pixelbench.training.compilers import Compile, why_not
from pixelbench.training.compiling import MiscompiledError, measure_compiled
from pixelbench.training.loop import Trainer

#: What an attempt found out: the next one goes on in the same way, so that a run that was cut off ends in the same numbers.
DECISION = "compile.json"


def compile_training(requested: Compile, trainer: Trainer, work: Path, note: Callable[[str], None]) -> bool:
    """Compile the loss where that is asked for, or measured to pay; returns whether it was. What the compiler makes another network of is
    trained as it is.

    Args:
        requested: `auto` measures for two seconds, once a run.
        trainer: before it goes on.
        work: the run's folder for what is not kept.
        note: takes a sentence for the log: what was measured, or why it is not compiled.
    """
    if requested == "off":
        return False
    if trainer.update == trainer.plan.updates:  # there is nothing left to compile it for; as an attempt before had it
        decided = _decided(work)
        return requested == "on" if decided is None else decided
    if requested == "auto" and not _pays(trainer, work, note):
        return False
    try:
        trainer.compile()
    except MiscompiledError as fault:
        note(f"not compiled: what torch {torch.__version__} compiles here is another network, {fault}")
        write_json(work / DECISION, {"compiled": False})
        return False
    return True


def forget_decision(work: Path) -> None:
    """The run is done."""
    (work / DECISION).unlink(missing_ok=True)


def _decided(work: Path) -> bool | None:
    """What an attempt before found out, if one did."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads((work / DECISION).read_text())["compiled"])
    return None


def _pays(trainer: Trainer, work: Path, note: Callable[[str], None]) -> bool:
    if (decided := _decided(work)) is not None:
        return decided
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
