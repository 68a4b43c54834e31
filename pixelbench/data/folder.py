"""The folder that data sets lie in which no installed package holds: `--data DIR`, the environment variable, or the user's cache."""

import os
from pathlib import Path

from pixelbench.errors import UserError

VARIABLE = "PIXELBENCH_DATA"


def data_folder() -> Path:
    """The folder, which need not exist: the one that was named, else `$XDG_CACHE_HOME/pixelbench`, or `~/.cache/pixelbench`."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pixelbench"


def use_data_folder(folder: Path | None) -> None:
    """Make `folder` the data folder of this process and those that it starts; None changes nothing.

    Raises:
        UserError: it is no folder.
    """
    if folder is None:
        return
    if not folder.is_dir():
        raise UserError(f"There is no data folder '{folder}'; name an existing one with --data DIR.")
    os.environ[VARIABLE] = str(folder.absolute())
