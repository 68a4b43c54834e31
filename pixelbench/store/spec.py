"""What was asked for: one cell of a suite with one seed, fully resolved, and the key that names it."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

#: What two suites may call differently without it being another run.
_NAMES_ONLY = ("variant", "budget", "expect")


@dataclass(frozen=True)
class RunSpec:
    """One run as it was asked for. All fields are plain JSON values.

    Attributes:
        task: name, digest, preprocessing, channels, height, width, levels.
        variant: its name in the suite, for example `gated-no-colour`.
        family, model_version, settings: the network, all settings resolved.
        recipe: `Recipe.as_dict()` with the precision resolved; empty for fitted families and codecs.
        budget, updates: the budget's name and what it comes to; 0 updates for fitted families and codecs.
        evaluation: test_images, validation_images (None: all of them), samples, sequential_images, importance_samples.
        expect: `causal`, or `leaky` where the suite declares a planted fault.
    """

    task: dict[str, Any]
    variant: str
    family: str
    model_version: int
    settings: dict[str, Any]
    recipe: dict[str, Any]
    budget: str
    updates: int
    evaluation: dict[str, Any]
    seed: int
    expect: str = "causal"

    @cached_property
    def key(self) -> str:
        """12 hex digits of the SHA-256 of everything that decides the result: not the names of variant and budget, nor `expect`."""
        asked = {name: value for name, value in self.to_json().items() if name not in _NAMES_ONLY}
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """`digits/gated-pixelcnn seed 0`: how people are told of the run."""
        return f"{self.task['name']}/{self.variant} seed {self.seed}"

    def to_json(self) -> dict[str, Any]:
        """The fields as one JSON object."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RunSpec":
        """The inverse of `to_json`."""
        return cls(**values)
