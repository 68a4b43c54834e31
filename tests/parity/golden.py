"""The golden files: random weights under our names, images, and what independent code computes from them; see README.md beside this."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model

FOLDER = Path(__file__).parent
#: Whole networks. In the mixture files all weights but the head's bias are without effect, and every image has a bias of its own.
NETWORKS = (
    "pixelcnn_pp",
    "pixelcnn_pp_class",
    "pixelsnail_grey",
    "pixelsnail_rgb",
    "gated_class_2",
    "gated_class_256",
    "gated_rgb",
    "pixelcnn_binary",
    "pixelcnn_16",
    "row_lstm_rgb",
    "row_lstm_binary",
    "diagonal_bilstm_rgb",
    "diagonal_bilstm_binary",
)
MIXTURES = ("mixture_rgb", "mixture_grey16")
ATTENTION = "attention"


@dataclass(frozen=True)
class Golden:
    """One file: `arrays` by name, and the model it is about."""

    arrays: dict[str, np.ndarray]

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name])

    @property
    def weights(self) -> dict[str, Tensor]:
        return {name.removeprefix("weight:"): self.tensor(name) for name in self.arrays if name.startswith("weight:")}

    @property
    def images(self) -> Tensor:
        return self.tensor("images")

    @property
    def condition(self) -> Tensor | None:
        return self.tensor("condition") if "condition" in self.arrays else None

    def model(self, dtype: torch.dtype = torch.float64) -> AutoregressiveModel:
        """The model with the file's weights, no name missing or superfluous."""
        arguments: dict[str, Any] = json.loads(str(self.arrays["model"]))
        settings = arguments.pop("settings")
        model = create_model(arguments.pop("family"), **arguments, **settings).double().eval()
        model.load_state_dict(self.weights, strict=True)
        return model.to(dtype)


def load(name: str) -> Golden:
    """The file of that name."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        return Golden({name: file[name] for name in file.files})
