"""What a suite is made of, as plain data that pydantic checks."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

_STRICT = ConfigDict(extra="forbid", strict=True)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*")


@dataclass(frozen=True)
class Evaluation:
    """How many images are scored and drawn; None is all of the split. `sequential_images` are for leaking variants only.

    `importance_samples`: with how many draws of the latents an image is scored, where the likelihood is a bound.
    """

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    test_images: int | None = None
    validation_images: int | None = None
    samples: int = 16
    sequential_images: int = 8
    importance_samples: int = 1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")


@dataclass(frozen=True)
class Budget:
    """How long, in updates. `settings` may shrink the networks, `recipe` suit a short training and `evaluation` limit the images.

    The record holds what was used.
    """

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    updates: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.updates is not None and self.updates < 1:
            raise ValueError(f"updates must be at least 1, got {self.updates}")


@dataclass(frozen=True)
class SuiteTask:
    """A task of the suite and what is different for it. `assumed` and `deviations` hold for every trained variant, see `SuiteVariant`."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    budgets: Annotated[dict[str, Budget], Field(alias="budget")] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class OnTask:
    """What is different for a variant on one task. `assumed` and `deviations` are added to the variant's own."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    settings: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    budgets: Annotated[dict[str, Budget], Field(alias="budget")] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class SuiteVariant:
    """A family with settings. `tasks = None`: on every task. `expect = "leaky"` declares a planted fault.

    `assumed`: what a paper leaves unsaid and was chosen here, with the reason; `deviations`: where this differs from what it says. These
    are texts for people, a sentence each, and no part of what a run is.
    """

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    name: str
    family: str
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    budgets: Annotated[dict[str, Budget], Field(alias="budget")] = field(default_factory=dict)
    on: dict[str, OnTask] = field(default_factory=dict)
    tasks: tuple[str, ...] | None = None
    expect: Literal["causal", "leaky"] = "causal"
    assumed: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ablation:
    """What a suite asks of one design choice: in words, of which variant the others are changes, and on which task to begin."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    question: str
    baseline: str
    task: str


@dataclass(frozen=True)
class Suite:
    """A suite whose every cell is valid. `load_suite` multiplies the `axes` out into `variants`."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    name: str
    default_budget: str
    budgets: Annotated[dict[str, Budget], Field(alias="budget")]
    tasks: Annotated[tuple[SuiteTask, ...], Field(alias="task")]
    variants: Annotated[tuple[SuiteVariant, ...], Field(alias="variant")]
    description: str = ""
    seeds: tuple[int, ...] = (0,)
    recipe: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    ablation: Ablation | None = None

    def __post_init__(self) -> None:
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must be different whole numbers from 0 up, got {list(self.seeds)}")
        for variant in self.variants:
            if not _NAME.fullmatch(variant.name):
                raise ValueError(f"a variant's name holds letters, digits and . _ + = - only, for its folder; got '{variant.name}'")
