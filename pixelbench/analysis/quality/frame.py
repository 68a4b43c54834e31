"""Sample quality as a tidy table."""

# pandas comes without types
# pyright: reportMissingTypeStubs=false
from collections.abc import Iterable

import pandas as pd

from pixelbench.analysis.quality.findings import QualityTable

_COLUMNS = {
    "task": "object",
    "features": "object",
    "label": "object",
    "category": "object",
    "run_key": "object",
    "seed": "Int64",
    "n": "int64",
    "measure": "object",
    "value": "float64",
    "error": "float64",
    "separates": "boolean",
    "failures": "object",
}


def quality_frame(tables: Iterable[QualityTable]) -> pd.DataFrame:
    """One row a number: task, features, whose images, measure or statistic, value, standard error.

    `category` is that of the run's likelihood, and empty of real images and controls. `separates`: whether the measure tells real images
    from its control on that task, nothing of a statistic. `failures`: names of what is wrong with the images, with commas.
    """
    rows = [
        {
            "task": table.task,
            "features": table.features,
            "label": row.label,
            "category": row.category,
            "run_key": row.run_key,
            "seed": row.seed,
            "n": row.n,
            "measure": name,
            "value": value.value,
            "error": value.error,
            "separates": None if name not in table.tried else name not in table.blind,
            "failures": ", ".join(failure.name for failure in row.failures),
        }
        for table in tables
        for row in table.all_rows
        for name, value in row.values.items()
        if name in table.measures
    ]
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in _COLUMNS.items()})
