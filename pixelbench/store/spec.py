"""The request: one cell of a suite with one seed, fully resolved, and the keys that name it."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

#: What two suites may call differently without it being another run.
_NAMES_ONLY = ("variant", "budget", "expect")


@dataclass(frozen=True)
class RunSpec:
    """One run as it was asked for. All fields are plain JSON values."""

    task: dict[str, Any]
    """name, digest, preprocessing, channels, height, width, levels."""
    variant: str
    """Its name in the suite, for example `gated-no-colour`."""
    family: str
    model_version: int
    settings: dict[str, Any]
    """All settings of the network, resolved."""
    recipe: dict[str, Any]
    """`Recipe.as_dict()` with the precision resolved; empty for fitted families and codecs."""
    budget: str
    """The budget's name."""
    updates: int
    """The updates of the budget; 0 for fitted families and codecs."""
    evaluation: dict[str, Any]
    """`Evaluation.as_dict()`."""
    seed: int
    expect: str = "causal"
    """`causal`, or `leaky` where the suite declares a leak by design."""

    @property
    def split(self) -> str:
        """The part of the task that training sees, see `Recipe`; nothing asks that of what is not trained."""
        return self.recipe.get("split", "held-out")

    @cached_property
    def key(self) -> str:
        """12 hex digits of the SHA-256 of everything that decides the result: not the names of variant and budget, nor `expect`.

        Raises:
            ValueError: a number is not finite.
        """
        return _digest(self._request)

    @cached_property
    def cell_key(self) -> str:
        """12 hex digits that all seeds of one cell share, and nothing else: what `key` is of, but for the seed.

        Raises:
            ValueError: a number is not finite.
        """
        return _digest({name: text for name, text in self._request.items() if name != "seed"})

    def take_keys(self, key: str, cell_key: str) -> None:
        """Take both keys from whoever has computed them of the same fields before."""
        vars(self).update(key=key, cell_key=cell_key)

    @cached_property
    def _request(self) -> dict[str, str]:
        """Field → its value as canonical JSON, so that both keys are made of one text."""
        return {name: _canonical(value) for name, value in sorted(self.to_json().items()) if name not in _NAMES_ONLY}

    @property
    def label(self) -> str:
        """`digits/gated-pixelcnn seed 0`: how the run is called in messages."""
        return f"{self.task['name']}/{self.variant} seed {self.seed}"

    def to_json(self) -> dict[str, Any]:
        """The fields as one JSON object."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RunSpec":
        """The inverse of `to_json`."""
        return cls(**values)


def differences(spec: RunSpec, other: RunSpec) -> list[str]:
    """`layers 4 instead of 15`: in what `spec` was asked for otherwise than `other`, whatever their names and seeds are."""
    mine, its = _by_setting(spec), _by_setting(other)
    return [f"{name} {_brief(mine.get(name))} instead of {_brief(its.get(name))}" for name in its | mine if mine.get(name) != its.get(name)]


def _by_setting(spec: RunSpec) -> dict[str, Any]:
    constants = {f"constants.{name}": value for name, value in spec.recipe.get("constants", {}).items()}
    recipe = {name: value for name, value in spec.recipe.items() if name != "constants"}
    network = {"family": spec.family, "model_version": spec.model_version, **spec.settings}
    return {**spec.task, **network, **recipe, **constants, **spec.evaluation, "updates": spec.updates}


def _brief(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:12]}..."


def _digest(request: dict[str, str]) -> str:
    text = ",".join(f'"{name}":{value}' for name, value in request.items())
    return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()[:12]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
