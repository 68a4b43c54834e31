"""The tidy table as a CSV file."""

from collections.abc import Collection
from pathlib import Path

from pixelbench.store.atomic import write_text
from pixelbench.store.frame import results_frame
from pixelbench.store.scan import scan


def write_csv(store: Path, path: Path, keys: Collection[str] | None = None) -> None:
    """One row a run of the store, or of those of `keys`; columns as `load_results` gives them."""
    frame = results_frame(scan(store).examine(keys))
    if keys is not None:
        frame = frame[frame["run_key"].isin(list(keys))]
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))
