"""What is to be measured: a family at some settings, or every network of a suite. No torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pixelbench.errors import UserError, unknown
from pixelbench.models.families import get_family
from pixelbench.store.documents.bench_records import Subject
from pixelbench.store.spec import RunSpec
from pixelbench.suites.schema import Suite
from pixelbench.suites.specs import PRECISIONS, resolve_precision, specs_of
from pixelbench.training.recipe import Recipe

#: Of a family for which nothing is said: binarised MNIST's shape.
SHAPE, LEVELS = (1, 28, 28), 2


@dataclass(frozen=True)
class Named:
    """A subject and what it is called."""

    name: str
    subject: Subject

    def to_json(self) -> dict[str, Any]:
        """As it is sent to the process that measures."""
        return {"name": self.name, "subject": vars(self.subject)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Named":
        """The inverse of `to_json`."""
        subject = values["subject"]
        return cls(values["name"], Subject(**{**subject, "shape": tuple(subject["shape"])}))


def of_family(
    name: str,
    *,
    settings: dict[str, Any],
    shape: tuple[int, int, int] | None = None,
    levels: int | None = None,
    batch: int | None = None,
    precision: str = "auto",
    device: str = "cpu",
) -> Named:
    """A family at these settings, trained by the default recipe.

    Raises:
        UserError: no such family or setting, settings that do not fit the images, a batch out of range.
    """
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    family = get_family(name)
    recipe = Recipe() if batch is None else _with_batch(Recipe(), batch)
    recipe = replace(recipe, precision=resolve_precision(precision, recipe.precision, device))
    chosen, levels, shape = family.parse(settings), levels or family.levels or LEVELS, shape or SHAPE
    if incompatibility := family.incompatibility(chosen, *shape, levels):
        raise UserError(f"{name}: {incompatibility}.")
    trained = family.kind == "network"
    return Named(
        name,
        Subject(
            family=name,
            model_version=family.version,
            settings=chosen.as_dict(),
            shape=shape,
            levels=levels,
            batch=recipe.batch,
            recipe=recipe.as_dict() if trained else {},
            precision=recipe.precision if trained else "fp32",
        ),
    )


def of_suite(
    suite: Suite,
    *,
    only: Sequence[str] = (),
    budget: str | None = None,
    batch: int | None = None,
    precision: str = "auto",
    device: str = "cpu",
) -> list[Named]:
    """Each network of a suite once, on images of its task's shape, by its own recipe; of seeds and equal networks the first.

    Raises:
        UserError, NothingMatched: as `specs_of`.
    """
    found: dict[str, Named] = {}
    for spec in specs_of(suite, only=only, budget=budget, device=device, precision=precision):
        named = Named(f"{spec.task['name']}/{spec.variant}", subject_of(spec, batch))
        found.setdefault(json.dumps(vars(named.subject), sort_keys=True), named)
    return list(found.values())


def subject_of(spec: RunSpec, batch: int | None = None) -> Subject:
    """What a run trains; `batch`: instead of its own."""
    recipe = spec.recipe if batch is None or not spec.recipe else _with_batch(Recipe(**spec.recipe), batch).as_dict()
    channels, height, width, levels = (spec.task[name] for name in ("channels", "height", "width", "levels"))
    return Subject(
        family=spec.family,
        model_version=spec.model_version,
        settings=dict(spec.settings),
        shape=(channels, height, width),
        levels=levels,
        batch=recipe.get("batch", batch or Recipe().batch),
        recipe=dict(recipe),
        precision=recipe.get("precision", "fp32"),
    )


def _with_batch(recipe: Recipe, batch: int) -> Recipe:
    try:
        return replace(recipe, batch=batch)
    except ValueError as error:
        raise UserError(f"--batch: {error}.") from None
