"""Where a factory's code is and what it takes: read, never executed, so that a suite with it is planned without torch.

A file is known by its name alone, since a path is nothing of a run: the folders in which it is looked for stand in the environment, which
workers inherit. A suite adds its own folder and those that it names; whoever reads a store names them in `PIXELBENCH_MODULES`.
"""

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pixelbench.errors import UserError, nearest
from pixelbench.importing import split_target, with_one_colon

FOLDERS = "PIXELBENCH_MODULES"
#: What a factory is given if it takes it.
SHAPE = ("channels", "height", "width", "levels")
FORMS = "path/to/file.py:name or package.module:name"
#: A parameter without a default.
REQUIRED = object()
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False)  # the same object as long as the file is the same
class Source:
    """A factory as its file tells: a function, or a class."""

    path: Path
    module: str
    """The name by which it is imported."""
    name: str
    takes: frozenset[str]
    """What of channels, height, width and levels it is called with."""
    parameters: Mapping[str, Any]
    """Its other parameters, each with its default, or `REQUIRED`; those whose default is no plain value cannot be set and are left out."""

    @property
    def folder(self) -> Path:
        """Where its imports may lie beside it."""
        return self.path.parents[self.module.count(".")]


def names_source(text: str) -> bool:
    """Whether it has the form of a factory's name, which no family's has."""
    return ":" in text


def add_folder(folder: Path) -> None:
    """Look for files there first, in this process and in those that it starts."""
    kept = [path for path in os.environ.get(FOLDERS, "").split(os.pathsep) if path and path != str(folder)]
    os.environ[FOLDERS] = os.pathsep.join([str(folder), *kept])


def from_file(text: str, beside: Path) -> str:
    """The name of a factory by which runs know it: `nets/mine.py:make` becomes `mine.py:make`, and its folder one to look in.

    Args:
        text: as a suite or a command has it.
        beside: the folder that a relative path starts from.
    """
    where, name = split_target(text)
    if not where.endswith(".py"):
        return with_one_colon(text)
    path = Path(beside, where).resolve()
    if not path.is_file():  # whoever looks for it says so
        return with_one_colon(text)
    add_folder(path.parent)
    return f"{path.name}:{name}"


def find_source(text: str) -> Source:
    """The factory that `file.py:name` or `package.module:name` names.

    Raises:
        UserError: there is no such file, it cannot be read as Python, or it defines no such name.
    """
    where, name = split_target(text)
    if not (where and name.isidentifier()):
        raise UserError(f"'{text}' names no factory; expected {FORMS}.")
    path = _find_file(where) if where.endswith(".py") else _find_module(where)
    module = path.stem if where.endswith(".py") else where
    return _read(path, module, name, path.stat().st_mtime_ns)


def _find_file(where: str) -> Path:
    folders = [Path(folder) for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
    for folder in (*folders, Path.cwd()):
        if (folder / where).is_file():
            return (folder / where).resolve()
    looked = ", ".join(map(str, dict.fromkeys((*folders, Path.cwd()))))
    raise UserError(f"There is no file '{where}' in {looked}; name its folder in {FOLDERS}.")


def _find_module(where: str) -> Path:
    """The file of an importable module; no package is executed on the way to it."""
    head, *rest = where.split(".")
    path = [*(folder for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder), os.getcwd(), *sys.path]
    try:
        spec = PathFinder.find_spec(head, path) or find_spec(head)
        name = head
        for part in rest:
            name = f"{name}.{part}"
            spec = None if spec is None else PathFinder.find_spec(name, list(spec.submodule_search_locations or ()))
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise UserError(f"There is no module '{where}' with a source file; give a factory as {FORMS}.")
    return Path(spec.origin).resolve()


@cache
def _read(path: Path, module: str, name: str, changed: int) -> Source:
    """`changed`: when the file was, so that a file that is edited is read again."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"'{path.name}' cannot be read as Python: {error}.") from error
    definition = next((node for node in tree.body if isinstance(node, _Function | ast.ClassDef) and node.name == name), None)
    if definition is None:
        defined = [node.name for node in tree.body if isinstance(node, _Function | ast.ClassDef) and not node.name.startswith("_")]
        near = nearest(name, defined)
        hint = f" Did you mean '{near}'?" if near else f" It defines: {', '.join(defined)}." if defined else ""
        raise UserError(f"'{path.name}' defines no function or class '{name}'.{hint}")
    function = definition if isinstance(definition, _Function) else _constructor(definition)
    if function is None:
        return Source(path, module, name, frozenset(), {})
    known = dict(_parameters(function.args, skip=int(isinstance(definition, ast.ClassDef))))
    takes = frozenset(SHAPE if function.args.kwarg is not None else [part for part in SHAPE if part in known])
    return Source(path, module, name, takes, {key: value for key, value in known.items() if key not in SHAPE})


def _constructor(definition: ast.ClassDef) -> ast.FunctionDef | None:
    return next((node for node in definition.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"), None)


def _parameters(arguments: ast.arguments, skip: int) -> Iterator[tuple[str, Any]]:
    """Name and default of each that can be given by name."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults]
    pairs = [*zip(positional, defaults, strict=True)][max(skip, len(arguments.posonlyargs)) :]
    for argument, default in [*pairs, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]:
        value = REQUIRED if default is None else _literal(default)
        if value is not _NO_LITERAL or argument.arg in SHAPE:
            yield argument.arg, value


_NO_LITERAL = object()


def _literal(node: ast.expr) -> Any:
    """Its value where it is one that JSON has, tuples as lists."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _NO_LITERAL
    return _plain(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        parts = [_plain(part) for part in value]
        return _NO_LITERAL if any(part is _NO_LITERAL for part in parts) else parts
    return _NO_LITERAL
