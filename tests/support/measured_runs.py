"""Fabricated measurements of samples: plausible numbers, nothing drawn."""

from pathlib import Path

from pixelbench.evaluation.measures import Value
from pixelbench.store.documents.measurements import Measurement, Measurements, write_measurements
from pixelbench.store.record import Record
from pixelbench.store.record_file import run_folder

#: Name → value of real images, of independent pixels, of copies, of one repeated image.
TYPICAL: dict[str, tuple[float, float, float, float]] = {
    "kid": (0.0, 0.06, 0.0, 0.5),
    "precision": (0.9, 0.0, 0.9, 1.0),
    "recall": (0.9, 0.6, 0.9, 0.0),
    "coverage": (0.95, 0.0, 0.95, 0.01),
    "memorisation": (1.0, 1.1, 0.0, 0.0),
    "spacing": (1.0, 1.5, 1.0, 0.0),
    "spectrum": (0.2, 11.0, 0.2, 3.0),
}
_ERROR = 0.005


def measurement(features: str = "random-conv", *, seed: int = 0, requested: int = 1000, n: int = 500, **values: float) -> Measurement:
    """A measurement of decent samples; `values` are others."""
    floor, noise, copies, repeated = ({name: Value(column[index], _ERROR) for name, column in TYPICAL.items()} for index in range(4))
    decent = {"kid": 0.01, "precision": 0.5, "recall": 0.8, "coverage": 0.5, "memorisation": 1.05, "spacing": 1.1, "spectrum": 1.0}
    return Measurement(
        features=features,
        features_digest="ab" * 32,
        requested=requested,
        n=n,
        seed=seed,
        method="cached",
        values={name: Value(value, _ERROR) for name, value in {**decent, **values}.items()},
        floor=floor,
        controls={"independent-pixels": noise, "copies": copies, "repeated": repeated},
        reference={"zeros": Value(0.5, _ERROR)},
        draw_seconds=1.0,
        measure_seconds=2.0,
    )


def add_measurements(store: Path, record: Record, *measured: Measurement) -> None:
    """Leave measurements beside a run's record."""
    write_measurements(run_folder(store, record.spec), Measurements(record.run_key, None, measured or (measurement(),)))
