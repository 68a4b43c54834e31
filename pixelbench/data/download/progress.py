"""How far a download or a preparation is, for whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DownloadStep:
    """`done` of `total` (None: nobody knows) bytes or images of `what`, a file or a split by name."""

    what: str
    done: int
    total: int | None
    unit: Literal["bytes", "images"]


ReportStep = Callable[[DownloadStep], None]
