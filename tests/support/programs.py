"""Programs of this package, for tests that kill or disturb a whole process."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def command_of(module: str, *arguments: object) -> list[str]:
    """`python -m tests.MODULE …`, wherever it is started."""
    return [sys.executable, "-m", f"tests.{module}", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """That of this process, with the repository first on the path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), **more}
