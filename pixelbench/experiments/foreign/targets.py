"""The targets of `check`: a family by name, or a module that somebody else wrote, in a file or an importable package."""

import contextlib
import functools
import importlib
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from pixelbench.causality.module.closures import Called
from pixelbench.causality.module.origin import origin
from pixelbench.errors import UserError, nearest, unknown
from pixelbench.experiments.foreign.parsing import parse_settings
from pixelbench.importing import import_file, split_target, with_one_colon
from pixelbench.models.families import FAMILIES, create_model, get_family
from pixelbench.models.foreign.source import names_source

LEVELS = 256
_FORMS = "path/to/file.py:name or package.module:name, where name is an nn.Module or a function without arguments that makes one"
_IMPORTED_AS = "pixelbench_target"
#: Characters of a foreign error message that are shown.
_MESSAGE = 300


@dataclass(frozen=True)
class Target:
    """A module to check, and the images it is checked on."""

    module: nn.Module
    name: str
    shape: tuple[int, int, int]
    levels: int


def load_target(text: str, settings: Sequence[str] = (), shape: tuple[int, int, int] | None = None, levels: int | None = None) -> Target:
    """The module that TARGET names; of a conditional or latent-variable family, the model for some condition or latent.

    Args:
        text: a family, `path/file.py:name` or `package.module:name`.
        settings: `name=value`, of a family only.
        shape: (C, H, W); a family has a default, other modules need it.
        levels: values of a sub-pixel; by default 256, or those that the family is for.

    Raises:
        UserError: it cannot be found, imported or built; the sentence says why.
    """
    is_family = not names_source(text) and text in FAMILIES
    if levels is None:
        levels = (FAMILIES[text].levels if is_family else None) or LEVELS
    if is_family:
        channels, height, width = shape or (3, *get_family(text).small)
        model = create_model(text, channels=channels, height=height, width=width, levels=levels, **parse_settings(settings))
        return Target(model.certifiable(), model.certified_as(text), (channels, height, width), levels)
    text = with_one_colon(text)
    where, name = split_target(text)
    if not where:
        raise _no_target(text)
    if settings:
        raise UserError(f"--set is for families; bind the settings of '{text}' in a function without arguments instead.")
    if shape is None:
        raise UserError(f"Say which images '{text}' takes with --shape C,H,W, for example --shape 3,8,7: small ones take seconds.")
    module = _built(_attribute(_imported(where), where, name), text)
    return Target(module, text, shape, levels)


def _no_target(text: str) -> UserError:
    if text.endswith(".py") and Path(text).is_file():
        names = _modules_in(_imported(text))
        return UserError(f"Say which module of '{text}' to check: {' or '.join(f'{text}:{name}' for name in names) or _FORMS}.")
    sentence = str(unknown("model", text, FAMILIES))
    return UserError(f"{sentence} A module of your own is given as {_FORMS}.")


def _imported(where: str) -> ModuleType:
    path = Path(where)
    if where.endswith(".py") or "/" in where:
        if not path.is_file():
            raise UserError(f"There is no file '{where}'; give TARGET as {_FORMS}.")
        put_on_path(Path.cwd())
        put_on_path(path.resolve().parent)  # in front
        try:
            with in_one_sentence(f"Importing '{where}'"):
                return import_file(path.resolve(), _IMPORTED_AS)
        except UserError as error:
            if isinstance(error.__cause__, ImportError) and "relative import" in str(error.__cause__):
                raise UserError(f"{error} {_as_part_of_its_package(path.resolve())}") from error
            raise
    put_on_path(Path.cwd())
    with in_one_sentence(f"Importing '{where}'"):
        return importlib.import_module(where)


def _as_part_of_its_package(path: Path) -> str:
    """How a file that imports by dots is named instead."""
    packages, folder = list[str](), path.parent
    while (folder / "__init__.py").is_file():
        packages, folder = [folder.name, *packages], folder.parent
    if not packages:
        return "It is a part of no package, since no __init__.py is beside it; let it import without dots."
    return f"A part of a package is named {'.'.join((*packages, path.stem))}:NAME, from the folder '{folder}'."


def _attribute(module: ModuleType, where: str, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            names = _modules_in(module)
            near = nearest(name, names)
            hint = f" Did you mean '{where}:{near}'?" if near else ""
            there = f" It defines: {', '.join(names)}." if names else ""
            raise UserError(f"'{where}' has no '{name}'.{hint}{there}")
        value = getattr(value, part)
    return value


def _modules_in(module: ModuleType) -> list[str]:
    """The possible targets: the nn.Modules, their classes and the functions that the file itself defines."""
    own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return sorted(
        name
        for name, value in own.items()
        if isinstance(value, nn.Module)
        or (getattr(value, "__module__", None) == module.__name__ and (inspect.isfunction(value) or _is_module_class(value)))
    )


def _is_module_class(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, nn.Module)


def _built(value: Any, text: str) -> nn.Module:
    if isinstance(value, nn.Module):
        return value
    if not callable(value):
        raise UserError(f"'{text}' is a {type(value).__name__}; give an nn.Module, or a function without arguments that makes one.")
    needed = _arguments(value)
    if needed:
        name = split_target(text)[1]
        call = ", ".join(f"{argument}=…" for argument in needed)
        raise UserError(
            f"'{text}' needs arguments ({', '.join(needed)}); bind them in a function and give that, such as "
            f"`def make_model(): return {name}({call})`."
        )
    with in_one_sentence(f"Calling '{text}'"):
        module = value()
    if isinstance(module, types.FunctionType | types.MethodType | functools.partial):  # of a batch: what binds a label, or lays images out
        return Called(module)
    if not isinstance(module, nn.Module):
        raise UserError(f"'{text}' made a {type(module).__name__}, not an nn.Module.")
    return module


def _arguments(value: Any) -> list[str]:
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):  # a builtin that tells nothing of its arguments
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def put_on_path(folder: Path) -> None:
    """Put a file's folder on the path, since its imports lie beside it. It stays there: a factory may import when it is called."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@contextlib.contextmanager
def in_one_sentence(action: str) -> Iterator[None]:
    """Whatever foreign code throws, exits of the interpreter too, becomes one sentence with the line of the user's that it comes from."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        message = textwrap.shorten(str(error), _MESSAGE, placeholder=" …").rstrip(".") or "no message"
        raise UserError(f"{action} raised {type(error).__name__}{origin(error)}: {message}.") from error
