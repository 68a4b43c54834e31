"""Whose code an error comes from, by its traceback: a module that somebody else wrote, a library, or our own."""

import sysconfig
import traceback
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]
#: What calls foreign code, as opposed to the families, which are checked as others are.
_CALLERS = (*(str(_PACKAGE / name) + "/" for name in ("causality", "experiments", "cli", "data")), str(_PACKAGE / "importing.py"))
#: Libraries of which our own code may make wrong use.
_TOOLS = ("torch", "numpy", "scipy", "pydantic", "einops")


def origin(error: BaseException, *, installed: bool = True) -> str:
    """` (model.py, line 3)`: the last line outside libraries, or else outside Python's own; empty where there is none.

    Args:
        installed: a line of an installed library will do where there is no other.
    """
    frames = _frames(error)
    libraries = [frame for frame in frames if frame.filename.startswith(_libraries())]
    foreign = [frame for frame in frames if frame in libraries or not frame.filename.startswith(_standard())]
    own = [frame for frame in foreign if frame not in libraries]
    shown = own or (foreign if installed else [])
    return next((f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in reversed(shown)), "")


def is_foreign(error: BaseException) -> bool:
    """Some line on the way to the error is neither ours nor Python's nor of a library that we use ourselves."""
    ours = (str(_PACKAGE) + "/", *_tools())
    frames = [frame for frame in _frames(error) if not frame.filename.startswith(ours)]
    return any(frame.filename.startswith(_libraries()) or not frame.filename.startswith(_standard()) for frame in frames)


def _frames(error: BaseException) -> Sequence[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith(_CALLERS) and frame.filename[0] != "<"]


def _standard() -> str:
    return sysconfig.get_path("stdlib")


def _libraries() -> tuple[str, ...]:
    return sysconfig.get_path("purelib"), sysconfig.get_path("platlib")


def _tools() -> list[str]:
    specs = [find_spec(name) for name in _TOOLS]
    return [str(Path(spec.origin).parent) + "/" for spec in specs if spec is not None and spec.origin]
