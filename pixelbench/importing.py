"""Somebody's code: its name, `file.py:name` or `package.module:name` (or `::`, as in pytest), and a file as a module."""

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType


def import_file(path: Path, name: str) -> ModuleType:
    """Import a file under a name of its own, so that `model.py` is not taken for another module called model."""
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    loader.exec_module(module)
    return module


def split_target(text: str) -> tuple[str, str]:
    """`file.py:name` or `file.py::name` → where and name; where is empty without a colon."""
    where, _, name = text.rpartition(":")
    return where.removesuffix(":"), name


def with_one_colon(text: str) -> str:
    """`file.py::name` → `file.py:name`, by which runs and reports know it; anything else stays as it is."""
    where, name = split_target(text)
    return f"{where}:{name}" if where and name else text
