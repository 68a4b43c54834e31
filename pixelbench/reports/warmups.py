"""When the latents of a run began to cost what they cost: the warm-up of the KL term, in updates and epochs, and what of it is free."""

import math

from pixelbench.data import get_task, task_names
from pixelbench.models.families import FAMILIES
from pixelbench.store.record import Record


def warm_up(record: Record) -> str:
    """A sentence on the KL term of a training; empty for what was trained without one."""
    family, recipe, settings = FAMILIES.get(record.variant.family), record.recipe, record.variant.settings
    if family is None or not family.latent or recipe is None:
        return ""
    images, free = _training_images(record), settings.get("free_bits", 0.0)
    an_epoch = None if images is None else images / recipe.batch
    requested = settings.get("kl_warmup_epochs", 0.0)
    length = settings.get("kl_warmup", 0) or (requested and (None if an_epoch is None else requested * an_epoch))
    freed = f"; {free:g} nats of each latent are free" if free else ""
    return f"{_when(length, requested, an_epoch, record.budget.updates)}{freed}."


def _when(length: float | None, requested: float, an_epoch: float | None, updates: int) -> str:
    """`length`: of the warm-up in updates, None where it is known in epochs alone."""
    if length is None:
        return f"The KL term counts in full after {requested:g} epochs"
    if not length:
        return "The KL term counts in full from the first update on"
    epochs = "" if an_epoch is None else f" ({length / an_epoch:.2g} epochs)"
    if length >= updates:
        return f"The KL term never counts in full: its weight rises to 1 in {math.ceil(length):,} updates{epochs}, and {updates:,} are made"
    return f"The KL term counts in full from update {math.ceil(length):,} of {updates:,} on{epochs}"


def _training_images(record: Record) -> int | None:
    """How many there are; None for a folder of images, of which the record does not say it."""
    task = get_task(record.task.name) if record.task.name in task_names() else None
    if task is None or task.mapped:
        return None
    sizes = task.with_split(record.spec.split).sizes
    return None if sizes is None else sizes[0]
