"""A model that is in no store: a family or a factory of somebody's, its settings, and the file of its weights."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from pixelbench.experiments.evaluating.weights import load_weights
from pixelbench.experiments.foreign.wrapped import OthersModel
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model
from pixelbench.training.checkpoint import module_tensors, pack


@dataclass(frozen=True)
class GivenModel:
    """Plain values, so that another process can load the same model."""

    target: str
    """A family's name, or a factory's as runs know it."""
    shape: tuple[int, int, int]
    """(C, H, W)."""
    levels: int
    settings: dict[str, Any]
    weights: Path | None
    """None: it is as its factory makes it."""

    def load(self) -> AutoregressiveModel:
        """The model on the CPU, the same each time."""
        return self.load_with_digest()[0]

    def load_with_digest(self) -> tuple[AutoregressiveModel, str | None]:
        """The model, and the SHA-256 of the file that its weights are from.

        Raises:
            UserError: its factory fails, its module cannot be read, or the weights do not fit.
        """
        torch.manual_seed(0)
        channels, height, width = self.shape
        model = create_model(self.target, channels=channels, height=height, width=width, levels=self.levels, **self.settings)
        if self.weights is None:
            return model, None
        return model, load_weights(model.module if isinstance(model, OthersModel) else model, self.weights)

    def weights_digest(self) -> str:
        """SHA-256 of the file of its weights; without one, of the weights as it is made, packed as a run's are."""
        if self.weights is not None:
            return hashlib.sha256(self.weights.read_bytes()).hexdigest()
        return hashlib.sha256(pack(module_tensors("model", self.load()), {})).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """JSON-safe."""
        return asdict(self) | {"weights": None if self.weights is None else str(self.weights.absolute())}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "GivenModel":
        """The inverse of `to_json`."""
        channels, height, width = document["shape"]
        weights = None if document["weights"] is None else Path(document["weights"])
        return cls(document["target"], (channels, height, width), document["levels"], document["settings"], weights)
