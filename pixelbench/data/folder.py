"""The folder that data sets are read from which no installed package holds: `--data DIR`, or the environment variable."""

import os
from pathlib import Path

from pixelbench.errors import UserError

VARIABLE = "PIXELBENCH_DATA"


def data_folder() -> Path | None:
    """The folder, which need not exist; None where nobody named one."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def use_data_folder(folder: Path | None) -> None:
    """Makes `folder` the data folder of this process and those that it starts; None changes nothing.

    Raises:
        UserError: it is no folder.
    """
    if folder is None:
        return
    if not folder.is_dir():
        raise UserError(f"There is no data folder '{folder}'; name an existing one with --data DIR.")
    os.environ[VARIABLE] = str(folder.absolute())
