"""A run's learning curve as a CSV file: a row a point, nothing where a number was not measured."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

#: Update, train and validation bits/dim.
Curve = list[tuple[int, float | None, float | None]]
_COLUMNS = ["update", "train_bits_per_dim", "validation_bits_per_dim"]


def packed_curve(curve: Sequence[tuple[int, float | None, float | None]]) -> bytes:
    """The file's contents."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_COLUMNS, *curve])
    return text.getvalue().encode()


def read_curve(path: Path) -> Curve:
    """The points; none where there is no file.

    Raises:
        ValueError: damaged.
    """
    return parse_curve(path.read_bytes()) if path.is_file() else []


def parse_curve(blob: bytes) -> Curve:
    """The points of a file's contents.

    Raises:
        ValueError, csv.Error: damaged.
    """
    header, *rows = csv.reader(io.StringIO(blob.decode(), newline=""), strict=True)
    if header != _COLUMNS:
        raise ValueError(f"its columns are {', '.join(header)}")
    if not blob.endswith(b"\n"):
        raise ValueError("its last row is not whole")
    curve: Curve = []
    for row in rows:
        update, train, validation = row
        if not update.isdecimal() or len(update) > 15:
            raise ValueError(f"update '{update}' is no number of updates")
        curve.append((int(update), _value(train), _value(validation)))
    if [update for update, *_ in curve] != sorted({update for update, *_ in curve}):
        raise ValueError("its updates do not rise")
    return curve


def _value(text: str) -> float | None:
    value = float(text) if text else None
    if value is not None and not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value
