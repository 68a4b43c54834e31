"""Which code decides a run's numbers, and its digest: what model, training and evaluation import, what that imports, and so on.

Syntax trees are digested, so comments, docstrings and layout do not count, and other versions of Python give the same digest, as far as
they read the same tree. The imports are found by reading, those inside functions too, and nothing is executed. An equal digest means that
no number has changed. Another one means nothing yet: the fingerprint of behaviour decides.

Of a family from another package, what lies in that package (or module, where it is a single file) is digested with ours.

Left out are the packages that only prove or keep (`pixelbench.causality`, whose certificates have a digest of their own, and
`pixelbench.store`), and what is imported for type checkers alone. Whatever else is reached is in, also what no number depends on, such as
the readers of all tasks: at worst a fingerprint is taken for nothing.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pixelbench.errors import UserError
from pixelbench.files.bulk import without_collector
from pixelbench.models.families import Family, get_family

_PACKAGE = Path(__file__).resolve().parents[1]
#: What every run goes through besides its family's module.
_PROTOCOL = ("pixelbench.training.loop", "pixelbench.experiments.stages")
_LEFT_OUT = {"pixelbench.causality", "pixelbench.store"}
#: Folders of packages, and files of modules that are none: where what counts is looked for.
_Roots = tuple[Path, ...]


def code_digest(family: str, package: Path = _PACKAGE) -> str:
    """64 hex digits that are equal as long as no statement of the family's closure was changed.

    Each module is read once a process.

    Args:
        family: its name.
        package: the folder of the package `pixelbench` to read.

    Raises:
        UserError: no such family, or no source of it.
        ModuleNotFoundError: its module is not in the package.
    """
    return _digest(closure(family, package), _roots_of(get_family(family), package))


def certificate_digest(family: str, package: Path = _PACKAGE) -> str:
    """64 hex digits of the code that a certificate of causality depends on: the family's own closure, and the checker.

    Raises:
        UserError: no such family.
    """
    files = [path.relative_to(package) for path in (package / "causality").rglob("*.py") if path.stem != "__init__"]
    checker = {".".join(("pixelbench", *path.with_suffix("").parts)) for path in files}
    return _digest(closure(family, package, protocol=()) | checker, _roots_of(get_family(family), package))


def closure(family: str, package: Path = _PACKAGE, *, protocol: Iterable[str] = _PROTOCOL) -> set[str]:
    """The names of the modules that `code_digest` is about; with another `protocol`, of those that are reached from there."""
    requested = get_family(family)
    roots = _roots_of(requested, package)
    found, waiting = set[str](), [*requested.modules, *protocol]
    with without_collector():
        while waiting:
            name = waiting.pop()
            if name in found or ".".join(name.split(".")[:2]) in _LEFT_OUT:
                continue
            found.add(name)
            waiting += _read(name, roots).imports
            waiting += [name.rpartition(".")[0]] * ("." in name)  # its package is executed as well
    return found


def _roots_of(family: Family, package: Path) -> _Roots:
    """The folder of the package `pixelbench`, and of a family that others wrote the packages that its class and its settings are in.

    Raises:
        UserError: one has no source file.
    """
    known = {package.name, *(root.stem for root in family.roots)}
    heads = dict.fromkeys(module.partition(".")[0] for module in family.modules)
    return (package, *family.roots, *(_outside(head) for head in heads if head not in known))


@cache
def _outside(head: str) -> Path:
    """The folder of another package, or the file of a module that is none."""
    spec = find_spec(head) if head != "__main__" else None
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if folders:
        return Path(folders[0]).resolve()
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise UserError(
            f"A family is defined in '{head}', which has no source file that workers can import; put it into a module of its own."
        )
    return Path(spec.origin).resolve()


def _digest(modules: Iterable[str], roots: _Roots) -> str:
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(name.encode() + b"\0" + _read(name, roots).digest)
    return digest.hexdigest()


@dataclass(frozen=True)
class _Module:
    """A digest of the syntax tree, and the modules of the packages that are imported in it."""

    digest: bytes
    imports: frozenset[str]


@cache
def _read(name: str, roots: _Roots) -> _Module:
    path = _path(name, roots)
    if path is None:
        raise ModuleNotFoundError(f"no source of {name} in {' or '.join(map(str, roots))}", name=name)
    reader = _Reader(name if path.name == "__init__.py" else name.rpartition(".")[0])
    reader.read(ast.parse(path.read_bytes()))
    imports = frozenset(found for found in reader.imports if _path(found, roots))
    return _Module(hashlib.sha256("\0".join(reader.words).encode()).digest(), imports)


class _Reader:
    """Goes through a syntax tree once.

    Attributes:
        words: the tree as text, in order: types of nodes, names of fields, values. What is empty is left out, since versions of Python
            differ in which fields a node has.
        imports: what is imported, and by `from x import y` also x.y, which may be a module.
    """

    def __init__(self, package: str):
        self.package, self.words, self.imports = package, list[str](), set[str]()

    def read(self, node: ast.AST) -> None:
        kind, words = type(node), self.words
        if isinstance(node, (ast.ImportFrom, ast.Import)):
            self.imports.update(self._imported(node))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in (getattr(node.test, "id", ""), getattr(node.test, "attr", "")):
            for rest in node.orelse:
                self.read(rest)
            return
        words.append(kind.__name__)
        for name in kind._fields:
            value = getattr(node, name, None)
            if value is None or value == [] or name == "kind":  # the u of u"text"
                continue
            words.append(name)
            for part in value if isinstance(value, list) else (value,):
                if not isinstance(part, ast.AST):
                    words.append(repr(part))
                elif not _is_text(part):
                    self.read(part)
            words.append(")")

    def _imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            return
        above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)


def _is_text(node: ast.AST) -> bool:
    """A statement that is a text and nothing else: a docstring, of whatever it is about."""
    return type(node) is ast.Expr and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _path(name: str, roots: _Roots) -> Path | None:
    """Where the source of a module of the packages is; None where there is no such module."""
    head, *rest = name.split(".")
    root = next((root for root in roots if root.stem == head), None)
    if root is None or root.is_file():
        return root if not rest else None
    path = root.joinpath(*rest)
    module = path.with_name(path.name + ".py")
    return next((file for file in (module, path / "__init__.py") if file.is_file()), None)
