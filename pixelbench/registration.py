"""Registration by name, by us and by other packages: families, tasks, statistics, measures and feature sets, each in a `Registry`.

Another package says in its `pyproject.toml` which of its modules registers a name, and that module is imported when the name is first asked
for, in workers too:

```toml
[project.entry-points."pixelbench.families"]
masked-mlp = "my_package"
```

Code that is not installed is named in the environment instead: `PIXELBENCH_PLUGINS=my_module,other.module`. Of the environment, not of a
suite, because whoever reads a store or samples from a run has no suite, and because workers inherit it.
"""

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, overload

from pixelbench.errors import UserError, first_line, shortened

PLUGINS = "PIXELBENCH_PLUGINS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*")
_OWN = "pixelbench"
_Entry = TypeVar("_Entry")
_Default = TypeVar("_Default")


class Registry(Mapping[str, _Entry], Generic[_Entry]):
    """Entries by name: what was registered, and what entry points announce, which is loaded when it is first asked for.

    An entry point that cannot be loaded is known by its name: `registry[name]` says in one sentence what is wrong with it, `get` gives the
    default, and `usable` leaves it out. A name that nobody knows raises KeyError, as in any mapping.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind, self.group = kind, group
        self._entries: dict[str, _Entry] = {}
        self._modules: dict[str, str] = {}
        self._broken: dict[str, str] = {}
        self._sources: list[Callable[[str], _Entry | None]] = []

    def add_source(self, source: Callable[[str], _Entry | None]) -> None:
        """Ask `source` for names that nobody registered: None where the name is none of its kind, UserError where it cannot be had."""
        self._sources.append(source)

    def add(self, name: str, entry: _Entry, module: str) -> None:
        """Register an entry; once more from the same module of another package replaces it, as in a notebook.

        Args:
            name: letters, digits and `. _ + = -`.
            entry: what is registered.
            module: the module that defines it.

        Raises:
            UserError: no such name can be, or another module has registered it.
        """
        if not _NAME.fullmatch(name):
            raise UserError(f"The name of a {self.kind} holds letters, digits and . _ + = - only; got '{shortened(name)}'.")
        before = self._modules.get(name)
        if before is not None and (_is_own(before) or before != module):
            raise UserError(f"{before} has registered a {self.kind} '{name}' already; register that of {module} under another name.")
        self._entries[name], self._modules[name] = entry, module

    def __getitem__(self, name: str) -> _Entry:
        if (described := self._described(name)) is not None:
            return described
        if name not in self._entries:
            self._look_for(name)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        import_plugins()
        return iter([*self._entries, *(name for name in _announced(self.group) if name not in self._entries)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        if name in self._entries or name in list(self):
            return True
        try:
            return isinstance(name, str) and self._described(name) is not None
        except UserError:
            return False

    @overload
    def get(self, key: str, /) -> _Entry | None: ...
    @overload
    def get(self, key: str, /, default: _Entry | _Default) -> _Entry | _Default: ...
    def get(self, key: str, /, default: object = None) -> object:
        """The entry of that name; the default where there is none, or none that can be loaded."""
        try:
            return self[key]
        except (KeyError, UserError):
            return default

    def usable(self) -> tuple[dict[str, _Entry], list[str]]:
        """All entries that can be loaded, our own first, and a sentence for each that cannot, or that has a name of ours."""
        found: dict[str, _Entry] = {}
        problems = [
            f"{self._called(point)} is left out: it has the name of one of ours."
            for name, point in _announced(self.group).items()
            if self.is_own(name)
        ]
        for name in self:
            try:
                found[name] = self[name]
            except UserError as error:
                problems.append(str(error))
        return found, problems

    def is_own(self, name: str) -> bool:
        """Whether PixelBench itself has registered the name."""
        return name in self._modules and _is_own(self._modules[name])

    def distribution(self, name: str) -> tuple[str, str] | None:
        """Name and version of the installed package whose entry point announces the name; None of our own, and where there is none."""
        point = None if self.is_own(name) else _announced(self.group).get(name)
        return None if point is None or point.dist is None else (point.dist.name, point.dist.version)

    def _described(self, name: str) -> _Entry | None:
        return next((entry for source in self._sources if (entry := source(name)) is not None), None)

    def _look_for(self, name: str) -> None:
        """Load what may register the name.

        Raises:
            UserError: its entry point cannot be loaded.
        """
        import_plugins()
        point = None if name in self._entries else _announced(self.group).get(name)
        if point is None:
            return
        if name not in self._broken:
            self._load(name, point)
        if name in self._broken:
            raise UserError(self._broken[name])

    def _load(self, name: str, point: EntryPoint) -> None:
        try:
            point.load()
        except (Exception, SystemExit) as error:  # whatever somebody else's module does when it is imported
            self._broken[name] = f"{self._called(point)} cannot be loaded ({_said(error)}); fix that package or uninstall it."
        else:
            if name not in self._entries:
                self._broken[name] = f"{self._called(point)} cannot be loaded: {point.value} registers no {self.kind} of that name."

    def _called(self, point: EntryPoint) -> str:
        about = "" if point.dist is None else f" of the package {point.dist.name} {point.dist.version}"
        return f"The {self.kind} '{shortened(point.name)}'{about}"


@cache
def import_plugins() -> None:
    """Import the modules that PIXELBENCH_PLUGINS names, which may lie in the current folder; once a process.

    Raises:
        UserError: one cannot be imported.
    """
    names = [name for part in os.environ.get(PLUGINS, "").split(",") if (name := part.strip())]
    if names and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    for name in names:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            raise UserError(f"{PLUGINS} names '{shortened(name)}', which cannot be imported ({_said(error)}); fix or unset it.") from error


@cache
def _announced(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name; of two of one name, that of the package that comes first on the path."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, point)
    return found


def _is_own(module: str) -> bool:
    return module.partition(".")[0] == _OWN


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {shortened(first_line(error), 200)}"
