"""Descriptions of families without torch, and their registration: by us in `families`, by others from their own packages."""

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from pixelbench.errors import UserError, first_line, unknown
from pixelbench.levels import MOST_CODED, MOST_LEVELS
from pixelbench.models.settings.common import Settings
from pixelbench.registration import Registry

Kind = Literal["network", "fitted", "codec"]
#: A number of maps, or a pair: at least the first, and the second for each colour.
Width = int | tuple[int, int]


@dataclass(frozen=True)
class Published:
    """Settings that a paper states for one data set, as far as it does. `where`: data set and place; `shape`: (C, H, W)."""

    where: str
    shape: tuple[int, int, int]
    levels: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Family:
    """The description of a family for the rest of PixelBench, without torch."""

    name: str
    title: str
    paper: str
    kind: Kind
    """A `network` is trained by gradient; a `fitted` family counts the training images; a `codec` is a lossless image format, no module."""
    settings: type[Settings]
    build: str
    """`module:class`, called with channels, height, width, levels and settings; of a codec the function from a mosaic to a file."""
    published: tuple[Published, ...] = ()
    small: tuple[int, int] = (8, 7)
    """A height and a width that differ, fit the default settings, and allow a complete map in seconds."""
    version: int = 1
    """Enters the run key: it rises when the function that the settings describe changes."""
    latent: bool = False
    """Its likelihood is a bound, by ELBO or importance samples."""
    levels: int | None = None
    """The only number of levels that it is for; None is any."""
    narrow: Mapping[str, Width] = field(default_factory=dict)
    """Upper limits in a narrow copy of settings on which nothing depends that a sub-pixel sees: widths, never depths or kernels."""

    @property
    def module(self) -> str:
        """Where the class or function is."""
        return self.build.partition(":")[0]

    @property
    def is_own(self) -> bool:
        """Whether it is one of PixelBench's own."""
        return FAMILIES.is_own(self.name)

    @property
    def modules(self) -> tuple[str, ...]:
        """Where its code begins."""
        return (self.module,) if self.is_own else (self.module, self.settings.__module__)

    @property
    def roots(self) -> tuple[Path, ...]:
        """Packages and files of its code that no search for its modules finds."""
        return ()

    def small_for(self, settings: Mapping[str, Any], height: int, width: int) -> tuple[int, int]:
        """Height and width of a miniature of images of that size, for a family that is not one of ours."""
        return self.small

    def fewer_levels(self, levels: int, most: int) -> int:
        """The levels of a copy that needs no more than `most`."""
        return min(levels, most)

    def parse(self, overrides: dict[str, Any]) -> Settings:
        """Overrides on the defaults → all settings.

        Raises:
            UserError: a name the family does not have, or a value out of range.
        """
        known = [f.name for f in fields(self.settings)]
        for name in overrides:
            if name not in known:
                raise unknown(f"setting of {self.name}", name, known) if known else UserError(f"{self.name} has no settings; got '{name}'.")
        try:
            return _adapter(self.settings).validate_json(json.dumps(overrides))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            raise UserError(f"{self.name}: {where + ': ' if where else ''}{message}.") from None

    def incompatibility(self, settings: Settings, channels: int, height: int, width: int, levels: int) -> str | None:
        """Why no model of these settings can be built for such images, without a final stop; None where one can."""
        if levels > MOST_LEVELS:
            return f"images have at most {MOST_LEVELS:,} levels, these have {levels:,}"
        if self.kind == "codec" and levels > MOST_CODED:
            return f"{self.name} stores a byte for each value, so at most {MOST_CODED} levels; these images have {levels:,}"
        try:
            settings.check_fit(channels, height, width, levels)
        except ValueError as error:
            return str(error)
        return None

    def narrowed(self, settings: Mapping[str, Any], channels: int, height: int, width: int, levels: int) -> dict[str, Any]:
        """The changes to `settings` that make a narrow copy: as `narrow` says where they have more, and where all still fits together."""
        changes: dict[str, Any] = {}
        for name, most in self.narrow.items():
            few = most if isinstance(most, int) else max(most[0], most[1] * channels)
            if settings.get(name, 0) > few and self._fits({**settings, **changes, name: few}, channels, height, width, levels):
                changes[name] = few
        return changes

    def load(self) -> Any:
        """The class, or the function of a codec; loads torch.

        Raises:
            UserError: that of another package cannot be imported.
        """
        module, _, name = self.build.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except Exception as error:  # whatever somebody else's module does when it is imported
            if self.is_own:
                raise
            raise UserError(f"{self.name}: '{self.build}' cannot be loaded ({type(error).__name__}: {first_line(error)}).") from error

    def _fits(self, settings: dict[str, Any], *shape: int) -> bool:
        try:
            return self.incompatibility(self.parse(settings), *shape) is None
        except UserError:
            return False


FAMILIES: Registry[Family] = Registry("model", "pixelbench.families")

_Settings = TypeVar("_Settings", bound=type[Settings])


def register_family(
    name: str,
    *,
    build: str | type,
    title: str,
    paper: str,
    kind: Kind = "network",
    published: Sequence[Published] = (),
    small: tuple[int, int] = (8, 7),
    version: int = 1,
    latent: bool = False,
    levels: int | None = None,
    narrow: Mapping[str, Width] | None = None,
) -> Callable[[_Settings], _Settings]:
    """Make a family known by name: a decorator of its settings' class, or called with it.

    The settings are a frozen dataclass derived from `Settings`, with a default for every field.

    Args:
        name: what suites and commands call it.
        build: the class, an `AutoregressiveModel`, or `"module:class"`, so that settings are known without loading torch.
        title, paper: for `pixelbench list models`.
        kind, published, small, version, latent, levels, narrow: see `Family`.

    Raises:
        UserError: the name is taken, or is none.
        ValueError: something else that no family can have.
    """
    where = build if isinstance(build, str) else f"{build.__module__}:{build.__qualname__}"

    def registered(found: _Settings) -> _Settings:
        family = Family(name, title, paper, kind, found, where, tuple(published), small, version, latent, levels, dict(narrow or {}))
        _check(family)
        FAMILIES.add(name, family, family.module)
        return found

    return registered


def _check(family: Family) -> None:
    """Raise ValueError where something would only fail later."""
    settings = family.settings
    if not (isinstance(settings, type) and issubclass(settings, Settings) and is_dataclass(settings)):
        raise ValueError(f"family '{family.name}': its settings must be a dataclass derived from pixelbench.Settings")
    if not family.title.strip() or not family.paper.strip():
        raise ValueError(f"family '{family.name}': title and paper are shown to people and must not be empty")
    if family.kind not in get_args(Kind):
        raise ValueError(f"family '{family.name}': kind must be one of {', '.join(get_args(Kind))}, got '{family.kind}'")
    if not family.module or not family.build.partition(":")[2].isidentifier():
        raise ValueError(f"family '{family.name}': build must be a class of a module or 'module:class', got '{family.build}'")
    if unknown_names := set(family.narrow) - {known.name for known in fields(settings)}:
        raise ValueError(f"family '{family.name}': narrow names {', '.join(sorted(unknown_names))}, which its settings do not have")
    if needed := [known.name for known in fields(settings) if known.default is known.default_factory is MISSING]:
        raise ValueError(f"family '{family.name}': its settings need a default each, and {', '.join(needed)} has none")


def get_family(name: str) -> Family:
    """The family of that name.

    Raises:
        UserError: no such family; the message names the nearest one, or says what is wrong with a factory of that name.
    """
    try:
        return FAMILIES[name]
    except KeyError:
        raise unknown("model", name, FAMILIES) from None


def create_model(family: str, *, channels: int, height: int, width: int, levels: int, **settings: Any) -> Any:
    """A freshly initialised module of a family; imports torch.

    Args:
        family: a name of `pixelbench list models`.
        channels, height, width: the images' shape.
        levels: how many values a sub-pixel can have, 2 to 65,536.
        **settings: overrides of the family's defaults.

    Raises:
        UserError: unknown family or setting, a value out of range, settings that do not fit the images, or a codec (which is no module).
    """
    found = get_family(family)
    if found.kind == "codec":
        raise UserError(f"{family} is a lossless image format, not a module; choose a network or a fitted baseline.")
    if min(channels, height, width) < 1 or not 2 <= levels <= MOST_LEVELS:
        said = f"{channels}x{height}x{width} with {levels} levels"
        raise UserError(f"Images need positive sizes and 2 to {MOST_LEVELS:,} levels; got {said}.")
    chosen = found.parse(settings)
    incompatibility = found.incompatibility(chosen, channels, height, width, levels)
    if incompatibility:
        raise UserError(f"{family}: {incompatibility}.")
    model = found.load()(channels, height, width, levels, chosen)
    if not isinstance(model, importlib.import_module("pixelbench.models.base").AutoregressiveModel):
        raise UserError(f"{family}: '{found.build}' makes a {type(model).__name__}, which is no pixelbench.AutoregressiveModel.")
    return model


@cache
def _adapter(settings: type) -> TypeAdapter[Any]:
    return TypeAdapter(settings)
