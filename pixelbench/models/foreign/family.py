"""A family that is one factory of somebody's: its settings are the factory's parameters and how the module is read."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from dataclasses import fields as fields_of
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pixelbench.errors import UserError, nearest
from pixelbench.importing import with_one_colon
from pixelbench.models.foreign.source import REQUIRED, Source, find_source, names_source
from pixelbench.models.registry import Family
from pixelbench.models.settings.common import Settings

Input = Literal["auto", "unit", "symmetric", "int"]
HEADS = ("categorical", "bernoulli", "logistic-mixture", "distribution", "log_prob")


@dataclass(frozen=True)
class Reading:
    """How images enter a module and what comes out of it: the options of `pixelbench check`, of the same names."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    head: str | None = None
    """`categorical`, `bernoulli`, `logistic-mixture`, `logistic-mixture:M`, `distribution` or `log_prob`; None is found out."""
    input: Input = "auto"
    output: str | None = None
    select: str | None = None
    input_layout: str | None = None
    args: dict[str, float] = field(default_factory=dict)
    """Further arguments of the call, a number each."""
    condition: str | None = None
    """The argument of the call that takes the classes; the one after the images by default."""
    order: tuple[int, ...] | None = None
    """Raster places `(row * W + column) * C + channel` in the order of drawing; raster order by default."""
    small: tuple[int, int] | None = None
    """Height and width of the miniature on which everything is tried before training."""
    sampler: str | None = None
    """The module's method that draws images; whole forwards by default."""

    def __post_init__(self) -> None:
        name, _, components = (self.head or HEADS[0]).partition(":")
        mixture = name == "logistic-mixture"
        if name not in HEADS or (components and not (mixture and components.isdecimal() and int(components) > 0)):
            near = nearest(name, HEADS)
            hint = f"; did you mean '{near}'?" if near else ""
            raise ValueError(f"head must be one of {', '.join(HEADS)} or logistic-mixture:M, of M components, got '{self.head}'{hint}")
        if self.sampler is not None and not self.sampler.isidentifier():
            raise ValueError(f"sampler is the name of a method of the module, such as sample, got '{self.sampler}'")
        if self.order is not None and sorted(self.order) != list(range(len(self.order))):
            raise ValueError(f"order must hold each raster place from 0 on once, and these {len(self.order)} do not")


@dataclass(frozen=True)
class ModuleSettings(Settings):
    """What every module of somebody's can be told; its factory's own parameters are the fields of classes derived from this."""

    module: dict[str, Any] = field(default_factory=dict)
    """The fields of `Reading` that were given."""
    condition: Literal["none", "class"] = "none"
    classes: int = 0
    weights: str | None = None
    """SHA-256 of the file of weights that somebody else trained, of what `eval` keeps; no suite can ask for it."""

    _factory: ClassVar[str] = ""
    _parameters: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if self.weights is not None and not re.fullmatch("[0-9a-f]{64}", self.weights):
            raise ValueError("weights holds the SHA-256 of a file, and is set by `pixelbench eval --store` alone")
        self.reading  # noqa: B018  (so that what is wrong with it is said here)
        if (self.condition == "class") != (self.classes > 0):
            raise ValueError("condition = 'class' and classes, the number of them, belong together")

    @property
    def factory(self) -> str:
        """Its name, as a suite has it; empty where there is none."""
        return self._factory

    @property
    def reading(self) -> Reading:
        """How the module is read.

        Raises:
            ValueError: a name that there is not, or a value of the wrong kind.
        """
        return _reading(self.module)

    @property
    def likelihood_alone(self) -> bool:
        """Whether the module gives the likelihood of whole images, and no conditionals."""
        return self.reading.head == "log_prob"

    @property
    def arguments(self) -> dict[str, Any]:
        """What the factory is given beside the shape: its own parameters."""
        return {name: getattr(self, name) for name in self._parameters}

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        """See `Settings`."""
        reading, size = self.reading, channels * height * width
        if reading.order is not None and len(reading.order) != size:
            raise ValueError(f"module.order has {len(reading.order)} places, and the images have {size} sub-pixels")
        if reading.head == "bernoulli" and levels != 2:
            raise ValueError(f"module.head = 'bernoulli' is for images of 2 levels, these have {levels}")


@dataclass(frozen=True)
class ModuleFamily(Family):
    """A factory as a family: what its module can follow of an image's shape and levels is what it is called with."""

    source: Source = field(kw_only=True)

    @property
    def modules(self) -> tuple[str, ...]:
        """See `Family`."""
        return self.source.module, self.module

    @property
    def roots(self) -> tuple[Path, ...]:
        """See `Family`: of a file, all that it can import from beside it."""
        if "." in self.source.module or self.source.path.stem != self.source.module:
            return (self.source.folder / self.source.module.partition(".")[0],)
        beside = self.source.folder.iterdir()
        return tuple(path for path in sorted(beside) if path.suffix == ".py" or (path / "__init__.py").is_file())

    def small_for(self, settings: Mapping[str, Any], height: int, width: int) -> tuple[int, int]:
        """See `Family`."""
        small = _reading(settings.get("module", {})).small
        if small is not None:
            return small
        return self.small if {"height", "width"} <= self.source.takes and "order" not in settings.get("module", {}) else (height, width)

    def fewer_levels(self, levels: int, most: int) -> int:
        """See `Family`."""
        return min(levels, most) if "levels" in self.source.takes else levels


def module_family(name: str) -> ModuleFamily | None:
    """The family of a factory's name; None where it is no such name.

    Raises:
        UserError: there is no such file, or no such factory in it.
    """
    return _family(with_one_colon(name), find_source(name)) if names_source(name) else None


@lru_cache(maxsize=64)
def _family(name: str, source: Source) -> ModuleFamily:
    return ModuleFamily(
        name,
        title=f"A module of {source.path.name}",
        paper="",
        kind="network",
        settings=_settings(name, source),
        build="pixelbench.experiments.foreign.wrapped:wrapped",
        source=source,
    )


def _settings(name: str, source: Source) -> type[Settings]:
    """A dataclass with a field for each parameter.

    Raises:
        UserError: a parameter has the name of what every module can be told.
    """
    taken = {*dir(ModuleSettings), *(one.name for one in fields_of(ModuleSettings))} - {"classes"}
    if clash := sorted(taken & set(source.parameters)):
        raise UserError(f"'{name}' has a parameter '{clash[0]}', a name that settings of every module have; give it another one.")
    own = [(key, Any, _field(default)) for key, default in source.parameters.items() if key != "classes"]
    constants = {"_factory": name, "_parameters": tuple(source.parameters)}
    return make_dataclass("OwnSettings", own, bases=(ModuleSettings,), namespace=constants, frozen=True, kw_only=True)


def _field(default: Any) -> Any:
    if default is REQUIRED:
        return field()
    return field(default_factory=lambda: list(default)) if isinstance(default, list) else field(default=default)


def _reading(given: Mapping[str, Any]) -> Reading:
    known = [one.name for one in fields_of(Reading)]
    for name in given:
        if name not in known:
            near = nearest(name, known)
            raise ValueError(f"module has no '{name}'" + (f"; did you mean '{near}'?" if near else f"; it has {', '.join(known)}"))
    try:
        return TypeAdapter(Reading).validate_json(json.dumps(dict(given)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("module", *map(str, first["loc"])))
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
