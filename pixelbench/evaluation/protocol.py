"""How a run is evaluated: how many images are scored and drawn, and by how many importance samples. No torch."""

from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ConfigDict

#: No split has more images, and no bound takes more draws.
MOST_IMAGES = 10**8


@dataclass(frozen=True)
class Evaluation:
    """How many images are scored and drawn; None is all of the split.

    What is only drawn, measured, proved or kept after a run's number is known (more samples, another statistic, weights, coded bytes) is
    no field here, since every field enters the run key. `samples` and `sequential_images` do for the sake of the keys that are stored.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    test_images: int | None = None
    """Test images that are scored."""
    validation_images: int | None = None
    """Validation images that are scored, after training and along the curve."""
    samples: int = 16
    """Images that are drawn."""
    sequential_images: int = 8
    """Images of a leaking variant that are drawn and scored in sequence."""
    importance_samples: int = 1
    """Draws of the latents by which an image is scored, where the likelihood is a bound."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
            if value is not None and value > MOST_IMAGES:
                raise ValueError(f"{name} must be at most {MOST_IMAGES:,}, got {value:,}")

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values, for the run key and the record."""
        return asdict(self)
