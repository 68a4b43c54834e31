"""The parts of a suite, as plain data that pydantic checks."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from pixelbench.errors import shortened
from pixelbench.training.recipe import MOST_UPDATES

_STRICT = ConfigDict(extra="forbid", strict=True)
#: With how few seeds a verdict can be given.
FEWEST_SEEDS = 3
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*")
#: Letters of a variant's name: a folder is named by it, a picture by it with the task's name and more, and file systems take 255, encrypted
#: ones 143.
MOST_LETTERS = 120
#: Of a suite, of a variant, or by --seeds.
MOST_SEEDS = 10_000


@dataclass(frozen=True)
class Budget:
    """How long, in updates. `settings` may shrink the networks, `recipe` suit a short training and `evaluation` limit the images.

    The record holds what was used.
    """

    __pydantic_config__ = _STRICT

    updates: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.updates is not None and self.updates < 1:
            raise ValueError(f"updates must be at least 1, got {self.updates}")
        if self.updates is not None and self.updates > MOST_UPDATES:
            raise ValueError(f"updates must be at most {MOST_UPDATES:,}, or no run comes to an end, got {self.updates:,}")


@dataclass(frozen=True)
class SuiteTask:
    """A task of the suite and what is different for it. `assumed` and `deviations` hold for every trained variant, see `SuiteVariant`."""

    __pydantic_config__ = _STRICT

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    budgets: Annotated[dict[str, Budget], Field(alias="budget")] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or "\0" in self.name:
            raise ValueError("a task's name is that of a task, or folder:PATH, and holds no zero byte")


@dataclass(frozen=True)
class OnTask:
    """The differences of a variant on one task. `assumed` and `deviations` are added to the variant's own."""

    __pydantic_config__ = _STRICT

    settings: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    budgets: Annotated[dict[str, Budget], Field(alias="budget")] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _check_seeds(self.seeds)


@dataclass(frozen=True)
class SuiteVariant:
    """A family with settings. `tasks = None`: on every task. `expect = "leaky"` declares that it leaks by design.

    `assumed`: what a paper leaves unsaid and was chosen here, with the reason; `deviations`: where this differs from what it says. These
    are texts for people, a sentence each, and no part of what a run is. Nor are `seeds`, `verdict_seeds` and `keep_weights`; None leaves
    them to the suite.
    """

    __pydantic_config__ = _STRICT

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
    seeds: tuple[int, ...] | None = None
    verdict_seeds: int | None = None
    keep_weights: bool | None = None

    def __post_init__(self) -> None:
        _check_seeds(self.seeds)
        _check_verdict_seeds(self.verdict_seeds)
        if self.tasks == ():
            raise ValueError("tasks must name at least one; left out, the variant is on every task")
        if said := name_error(self.name):
            raise ValueError(f"a variant's name {said}")


@dataclass(frozen=True)
class Ablation:
    """One design choice of a suite: in words, of which variant the others are changes, and on which task to begin."""

    __pydantic_config__ = _STRICT

    question: str
    baseline: str
    task: str
    setting: str | None = None
    """What the variants change; None: the one setting in which they differ from the baseline, if there is one."""
    title: str = ""
    """Of its section in reports; the suite's name if empty."""
    words: dict[str, str] = field(default_factory=dict)
    """Variant → what it is, in plain words, the baseline among them; where there are none, `3 layers` or `gates = false`."""
    place: int | None = None
    """Among the sections of a report, the lowest first; those without one come last."""


@dataclass(frozen=True)
class Claim:
    """A number that the suite's author claims, or found somewhere, for a variant on the test images of a task.

    `source`: where it stands, for people. `tolerance`: what a measurement may differ by, in `unit`; None is the usual one. `printed`: the
    value as the file has it, so that 3.10 has two decimals; `load_suite` fills it in.
    """

    __pydantic_config__ = _STRICT

    task: str
    variant: str
    value: float
    unit: Literal["bits/dim", "nats/image"]
    source: str
    tolerance: float | None = None
    printed: str = ""

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError(f"value must be at least 0, got {self.value:g}")
        if not self.source.strip():
            raise ValueError("source must say where the value stands, and is empty")
        if self.tolerance is not None and self.tolerance <= 0:
            raise ValueError(f"tolerance must be above 0, got {self.tolerance:g}")


@dataclass(frozen=True)
class Suite:
    """A suite whose every cell is valid. `load_suite` multiplies the `axes` out into `variants`.

    `verdict_seeds`: so many seeds, from 0 on, decide the verdict on a cell. `keep_weights`: whether trained weights are kept beside the
    record; None is the usual rule, by their size. Neither is part of what a run is.
    """

    __pydantic_config__ = _STRICT

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
    verdict_seeds: int = FEWEST_SEEDS
    keep_weights: bool | None = None
    claims: Annotated[tuple[Claim, ...], Field(alias="claim")] = ()

    def __post_init__(self) -> None:
        _check_seeds(self.seeds)
        _check_verdict_seeds(self.verdict_seeds)
        for kind, names in (("name", [self.name]), ("budget", self.budgets)):
            if any(len(name) > MOST_LETTERS for name in names):
                raise ValueError(f"{kind}: a name has at most {MOST_LETTERS} letters")
            if not all(name.strip() and name.isprintable() for name in names):
                raise ValueError(f"{kind}: a name is some letters that can be printed")
        if any("/" in name for name in self.budgets):  # no record holds such a name
            raise ValueError("budget: a name holds no slash")
        for kind, found in (("task", self.tasks), ("variant", self.variants)):
            if not found:
                raise ValueError(f"{kind}: expected at least one")

    def seeds_of(self, task: SuiteTask, variant: SuiteVariant) -> tuple[int, ...]:
        """The seeds of one cell: the variant's on that task, else the variant's, else the suite's."""
        there = variant.on.get(task.name)
        requested = (None if there is None else there.seeds, variant.seeds)
        return next((seeds for seeds in requested if seeds is not None), self.seeds)

    def verdict_seeds_of(self, variant: SuiteVariant) -> int:
        """How many seeds, from 0 on, decide the verdict on a variant of the suite."""
        return self.verdict_seeds if variant.verdict_seeds is None else variant.verdict_seeds

    def keep_weights_of(self, variant: SuiteVariant) -> bool | None:
        """Whether the weights of a variant of the suite are kept; None is the usual rule."""
        return self.keep_weights if variant.keep_weights is None else variant.keep_weights


def name_error(name: str) -> str | None:
    """What a variant's name has, or holds, and this one does not, as the end of a sentence; None where it can be one."""
    if not _NAME.fullmatch(name):
        return f"holds letters, digits and . _ + = - only, for its folder; got '{shortened(name, 40)}'"
    return f"has at most {MOST_LETTERS} letters, for its folder; got {len(name)}" if len(name) > MOST_LETTERS else None


def _check_seeds(seeds: tuple[int, ...] | None) -> None:
    if seeds is None:
        return
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be different whole numbers from 0 up, got {shortened(str(list(seeds)))}")
    if len(seeds) > MOST_SEEDS:
        raise ValueError(f"seeds must be at most {MOST_SEEDS:,}, got {len(seeds):,}")


def _check_verdict_seeds(count: int | None) -> None:
    if count is not None and count < FEWEST_SEEDS:
        raise ValueError(f"verdict_seeds must be at least {FEWEST_SEEDS}, since fewer give no interval to rely on, got {count}")
    if count is not None and count > MOST_SEEDS:
        raise ValueError(f"verdict_seeds must be at most {MOST_SEEDS:,}, got {count:,}")
