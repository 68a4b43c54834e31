"""The record of a run, as frozen dataclasses: what was asked for, what came of it, what it cost and where it was executed."""

from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from pixelbench.data import Task
from pixelbench.evaluation.protocol import Evaluation
from pixelbench.key_fields import key_values
from pixelbench.store.behaviour import behaviour_name, require_numbers
from pixelbench.store.spec import RunSpec
from pixelbench.training.recipe import Recipe
from pixelbench.units import MOST_AMOUNT

#: Rises when the meaning or the name of a field changes. Older records are migrated on reading, never retrained.
SCHEMA = 2

Status = Literal["done", "failed", "diverged", "timeout", "interrupted"]
CausalStatus = Literal["complete", "partial", "leaky", "unchecked"]

# Strict types, finite numbers. A field that this version does not know is no error: the digest of the record covers it.
_RULES = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")

_Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\x00]+$")]
_Hex = Annotated[str, Field(pattern=r"^[0-9a-f]+$", max_length=64)]
_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Positive = Annotated[int, Field(ge=1, lt=2**31)]
_Number = Annotated[float, Field(ge=-MOST_AMOUNT, le=MOST_AMOUNT)]
_Amount = Annotated[float, Field(ge=0, le=MOST_AMOUNT)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Measures = dict[str, _Number | None]


@dataclass(frozen=True)
class RecordedTask:
    """The images that a run is about."""

    __pydantic_config__ = _RULES

    name: _Name
    digest: str
    """SHA-256 of the decoded arrays."""
    preprocessing: str
    channels: Annotated[int, Field(ge=1, le=2**16)]
    height: Annotated[int, Field(ge=1, le=2**16)]
    width: Annotated[int, Field(ge=1, le=2**16)]
    levels: Annotated[int, Field(ge=2, le=2**16)]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width

    @property
    def dimensions(self) -> int:
        """Sub-pixels of one image, D = C*H*W."""
        return self.channels * self.height * self.width


def task_fields(task: Task) -> dict[str, Any]:
    """A task as it is asked for, and as a record has it."""
    return {one.name: getattr(task, one.name) for one in fields(RecordedTask)}


#: The file of a run's trained weights, beside its record.
WEIGHTS = "weights.safetensors"
#: The name of the budget of weights that somebody else trained.
GIVEN = "trained-elsewhere"


@dataclass(frozen=True)
class Variant:
    """A family with settings."""

    __pydantic_config__ = _RULES

    name: _Name
    family: _Name
    model_version: _Count
    settings: dict[str, Any]

    @property
    def classes(self) -> int:
        """How many classes the model is conditional on; 0 where it is not."""
        return self.settings["classes"] if self.settings.get("condition") == "class" else 0


@dataclass(frozen=True)
class RecordedBudget:
    """How long a run was to be trained."""

    __pydantic_config__ = _RULES

    name: _Name
    updates: _Count


@dataclass(frozen=True)
class Likelihood:
    """The mean likelihood of images, with the standard error over those that are independent."""

    __pydantic_config__ = _RULES

    bits_per_dim: _Amount
    nats_per_image: _Amount
    n_images: _Positive
    bits_per_dim_se: _Amount | None = None
    """None where there is one cluster only, or the number is a code length."""
    n_clusters: _Positive | None = None
    estimator: Annotated[str, Field(pattern=r"^(exact|elbo|iwae-[1-9][0-9]{0,8}|code-length)$")] = "exact"
    validation_bits_per_dim: _Amount | None = None


@dataclass(frozen=True)
class LatentUse:
    """How much the latents say of the test images."""

    __pydantic_config__ = _RULES

    kl: _Number
    """Nats an image, summed over the latents."""
    kl_per_dimension: Annotated[tuple[_Number, ...], Field(strict=False)]
    active_units: _Count
    dimensions: _Count
    levels: dict[str, Any] | None = None
    """The same of each level, where there are several."""


@dataclass(frozen=True)
class Causality:
    """Findings about leaks: in the complete map of a narrow copy, and at positions of the trained model."""

    __pydantic_config__ = _RULES

    status: CausalStatus = "unchecked"
    largest_leak: _Amount | None = None
    """Change of an output by an input that it must not see, relative to the largest output."""
    tolerance: _Amount | None = None
    counter_example: str | None = None
    faults: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    probes: str | None = None
    trained_positions: _Count | None = None
    """Sub-pixels of the trained model that were changed; None where it was not probed."""


@dataclass(frozen=True)
class Samples:
    """Statistics of drawn images and of real ones."""

    __pydantic_config__ = _RULES

    statistics: _Measures
    n: _Positive = 1
    real: _Measures = field(default_factory=dict[str, float | None])
    method: str = "cached"
    canvas_agreement: _Share | None = None
    sampler: str | None = None
    """What is known of the sampling method that a module of somebody's has itself; None where it was not asked for."""


@dataclass(frozen=True)
class Diagnosis:
    """A symptom that was found in the samples, with its cause."""

    __pydantic_config__ = _RULES

    name: str
    sentence: str = ""


@dataclass(frozen=True)
class Cost:
    """The cost of a run."""

    __pydantic_config__ = _RULES

    seconds: _Amount = 0.0
    train_seconds: _Amount = 0.0
    evaluate_seconds: _Amount = 0.0
    peak_memory_bytes: _Count = 0
    parameters: _Count = 0
    updates: _Count = 0
    images_seen: _Count = 0

    @property
    def all_seconds(self) -> float:
        """Of a run that was cut off and went on, what all its attempts took, as far as is known: `seconds` are those of the last one."""
        return max(self.seconds, self.train_seconds + self.evaluate_seconds)


def _existing(day: str) -> str:
    date.fromisoformat(day)  # or a ValueError, of a 31st of February
    return day


_Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_existing)]


@dataclass(frozen=True)
class Stretch:
    """A part of a training that another machine, or another state of the code, did before the one that ended it."""

    __pydantic_config__ = _RULES

    until: _Positive
    """The last update of it."""
    device: str | None = None
    """None, as all that follows, where its checkpoint does not say; what follows is as in `Provenance`."""
    threads: _Count | None = None
    micro_batch: _Positive | None = None
    world_size: _Positive | None = None
    compiled: bool | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    source_digest: str | None = None
    torch: str | None = None
    """Its version."""


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from."""

    __pydantic_config__ = _RULES

    device: str
    source_digest: str | None = None
    """Of the code: syntax trees of the import closure of model, training and evaluation (schema 1: texts of some modules)."""
    git_commit: str | None = None
    git_dirty: bool | None = None
    versions: dict[str, str] = field(default_factory=dict[str, str])
    threads: _Count = 1
    precision: str = "fp32"
    deterministic: bool = True
    micro_batch: _Positive | None = None
    """Images of a batch that were trained on at once; None where it was all of them."""
    world_size: _Positive | None = None
    """Processes that shared the batches; None where one had them alone."""
    compiled: bool = False
    """The training's loss went through `torch.compile`."""
    earlier: Annotated[tuple[Stretch, ...], Field(strict=False)] = ()
    """Stretches of the training that were done elsewhere, or by other code, before the run was cut off and went on here."""
    date: _Day | None = None
    """Day on which the run ended, in UTC; None in records that were written before it was kept."""

    @property
    def devices(self) -> list[str]:
        """All that trained it, the last one first."""
        return list(dict.fromkeys([self.device, *(stretch.device for stretch in self.earlier if stretch.device is not None)]))


@dataclass(frozen=True)
class Request:
    """The command of the run: `pixelbench run --suite SUITE --only TASK/VARIANT …`, or `pixelbench ablate SUITE --task TASK …`."""

    __pydantic_config__ = _RULES

    command: Literal["run", "ablate"]
    suite: str
    """A name that ships, or the name of a file."""
    task: str
    budget: str
    limit: _Positive | None = None
    precision: str = "auto"


@dataclass(frozen=True)
class RunError:
    """Why a run failed; `log` has its last lines."""

    __pydantic_config__ = _RULES

    type: str
    message: str
    log: Annotated[tuple[str, ...], Field(strict=False)] = ()


@dataclass(frozen=True)
class Record:
    """One run, whatever its end."""

    __pydantic_config__ = _RULES

    run_key: _Hex
    status: Status
    task: RecordedTask
    variant: Variant
    recipe: Annotated[Recipe | None, BeforeValidator(lambda value: value or None)]
    """None where nothing is trained (an empty object in schema 1)."""
    budget: RecordedBudget
    evaluation: Evaluation
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    provenance: Provenance
    cost: Cost
    expect: Literal["causal", "leaky"] = "causal"
    selected_update: _Count | None = None
    """After how many updates validation selected the weights that are scored; None where the last are."""
    likelihood: Likelihood | None = None
    sequential: Likelihood | None = None
    """The same of the process that the sampler of a leaking model follows."""
    latent: LatentUse | None = None
    causality: Causality = field(default_factory=Causality)
    samples: Samples | None = None
    diagnoses: Annotated[tuple[Diagnosis, ...], Field(strict=False)] = ()
    error: RunError | None = None
    request: Request | None = None
    """None in records of schema 1."""
    behaviour: Annotated[dict[str, Any], AfterValidator(require_numbers)] | None = None
    """The fingerprint of the code that executed the run, see `pixelbench.store.behaviour`; None in records of schema 1."""
    artifacts: dict[str, _Hex] = field(default_factory=dict[str, str])
    """File name → SHA-256 of what was written beside the record."""
    schema: int = SCHEMA
    """The schema that the record was written with."""
    digest: str = field(default="", compare=False, repr=False)
    """Tells whether a record is still the one that was read before; empty in one that was not read."""

    @cached_property
    def spec(self) -> RunSpec:
        """The request, as the record says it; its key is `run_key` where nobody edited either."""
        return RunSpec(
            task=dict(vars(self.task)),
            variant=self.variant.name,
            family=self.variant.family,
            model_version=self.variant.model_version,
            settings=self.variant.settings,
            recipe={} if self.recipe is None else key_values(self.recipe),
            budget=self.budget.name,
            updates=self.budget.updates,
            evaluation=key_values(self.evaluation),
            seed=self.seed,
            expect=self.expect,
        )

    @property
    def trained(self) -> bool:
        """Whether gradients made its weights, so that seeds differ."""
        return self.recipe is not None

    @property
    def given(self) -> bool:
        """Whether its weights came from a file of somebody's."""
        return self.budget.name == GIVEN

    @property
    def leaky(self) -> bool:
        return self.causality.status == "leaky"

    @property
    def code(self) -> str:
        """A name of the code of the run by what it computes, or in schema 1 by its text; runs of other codes are never averaged."""
        return f"text {(self.provenance.source_digest or 'unknown')[:12]}" if self.behaviour is None else behaviour_name(self.behaviour)


def request_fields(spec: RunSpec) -> dict[str, Any]:
    """The fields of a record that repeat what was asked for."""
    return {
        "run_key": spec.key,
        "task": RecordedTask(**spec.task),
        "variant": Variant(spec.variant, spec.family, spec.model_version, spec.settings),
        "recipe": Recipe(**spec.recipe) if spec.recipe else None,
        "budget": RecordedBudget(spec.budget, spec.updates),
        "evaluation": Evaluation(**spec.evaluation),
        "seed": spec.seed,
        "expect": spec.expect,
    }


def is_bound(estimator: str | None) -> bool:
    """Whether a likelihood of this estimator is only known to be no worse: `elbo` and `iwae-K`, not `exact` nor `code-length`."""
    return estimator is not None and (estimator == "elbo" or estimator.startswith("iwae-"))
