"""A model that a command is given as TARGET with --weights, and the options that say how a module of somebody's is read."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments import completing
from pixelbench.cli.commands.check import Input
from pixelbench.errors import UserError

if TYPE_CHECKING:
    from pixelbench.experiments.evaluating.given import GivenModel

TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task",
        "-t",
        metavar="TASK",
        help="The task whose test images are taken for a TARGET; a run has its own.",
        autocompletion=completing.tasks,
    ),
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", "-w", metavar="FILE", help="A state dict: .safetensors, or what torch.save wrote.")
]
ModuleHeadOption = Annotated[
    str | None,
    typer.Option("--head", metavar="HEAD", help="categorical, bernoulli, logistic-mixture[:M], distribution or log_prob."),
]
InputOption = Annotated[
    Input, typer.Option("--input", help="Floats in [0, 1] (unit) or [-1, 1] (symmetric), integers, or what fits (auto).")
]
OrderFileOption = Annotated[
    Path | None, typer.Option("--order", metavar="FILE", help="Lists the raster places in the order of drawing, where it is another.")
]
ConditionOption = Annotated[
    str | None, typer.Option("--condition", metavar="ARGUMENT", help="The argument of the call that takes the images' classes.")
]


@dataclass(frozen=True)
class ReadingOptions:
    """How a module is read, as it was asked for; see `pixelbench.models.foreign.family.Reading`."""

    head: str | None = None
    input: Input = Input.auto
    output: str | None = None
    select: str | None = None
    input_layout: str | None = None
    args: list[str] | None = None
    order: Path | None = None
    condition: str | None = None
    sampler: str | None = None

    @property
    def given(self) -> bool:
        """Whether anything is asked for."""
        return any(getattr(self, one.name) not in (one.default, []) for one in fields(self))

    def settings(self, classes: int) -> dict[str, Any]:
        """Settings of a module for images of so many classes, 0 without any.

        Raises:
            UserError: a number or the file of an order cannot be read, or a condition is asked for and there are no classes.
        """
        from pixelbench.experiments.foreign.given import argument
        from pixelbench.models.foreign.order import read_order

        names = ("head", "output", "select", "input_layout", "condition", "sampler")
        module: dict[str, Any] = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.input is not Input.auto:
            module["input"] = self.input.value
        if self.args:
            module["args"] = dict(map(argument, self.args))
        if self.order is not None:
            module["order"] = read_order(self.order, "--order")
        if self.condition is None:
            return {"module": module}
        if not classes:
            raise UserError("--condition needs images with classes, and those of this task have none.")
        return {"module": module, "condition": "class", "classes": classes}


def names_model(text: str) -> bool:
    """Whether it names a factory or a family, and no stored run."""
    from pixelbench.models.families import FAMILIES
    from pixelbench.models.foreign.source import names_source

    return names_source(text) or text in FAMILIES


def given_model(
    target: str,
    shape: tuple[int, int, int],
    levels: int,
    classes: int,
    *,
    weights: Path | None,
    settings: list[str] | None,
    reading: ReadingOptions,
) -> "GivenModel":
    """The model that TARGET and its options name, for images of that shape (C, H, W), levels and classes.

    Raises:
        UserError: an option has no meaning for a family, or cannot be.
    """
    from pixelbench.experiments.evaluating.given import GivenModel
    from pixelbench.experiments.foreign.parsing import parse_settings
    from pixelbench.models.foreign.source import from_file, names_source

    given = parse_settings(settings or [])
    if names_source(target):
        target = from_file(target, Path())
        given |= reading.settings(classes)
    elif reading.given:
        raise UserError(f"'{target}' is a family of PixelBench, which knows how it is read; leave --head, --input and the like out.")
    if given.get("condition") == "class" and not classes:
        raise UserError("condition = 'class' needs images with classes, and these have none.")
    if given.get("condition") == "class" and given.get("classes") != classes:
        raise UserError(f"These images have {classes} classes; say --set classes={classes}.")
    return GivenModel(target, shape, levels, given, weights)


def of_task(target: str, task: str | None, *, weights: Path | None, settings: list[str] | None, reading: ReadingOptions) -> "GivenModel":
    """The same for the images of a task.

    Raises:
        UserError: no task is named, there is none of that name, or as `given_model`.
    """
    from pixelbench.data import get_task

    if task is None:
        raise UserError("Say which images are meant with --task, for example --task mnist-fixed; `pixelbench list tasks` names them.")
    about = get_task(task)
    return given_model(target, about.shape, about.levels, about.classes, weights=weights, settings=settings, reading=reading)


def refuse_beside_run(name: str, task: str | None, *, weights: Path | None, settings: list[str] | None, reading: ReadingOptions) -> None:
    """What only a TARGET can be told is refused beside a stored run.

    Raises:
        UserError: something of it is given.
    """
    if task is not None or weights is not None or settings or reading.given:
        raise UserError(f"'{name}' names no module or family, and a stored run has its own task, weights and settings.")
