"""How a network is trained: optimiser, schedule, batch, EMA, precision. Plain data, no torch.

Papers differ in the optimiser *and* in its constants, so the constants are part of the recipe. Every field enters the run key; a new one is
`added_later`, so that stored runs keep theirs.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict

from pixelbench.key_fields import added_later

#: What of a task training sees: not its validation images, or all but the test images.
SplitName = Literal["held-out", "all-training"]

#: The constants each optimiser takes, with torch's defaults. `epsilon` is torch's `eps`.
CONSTANTS: dict[str, dict[str, float]] = {
    "adamw": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01},
    "adam": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0},
    "adagrad": {"epsilon": 1e-10, "weight_decay": 0.0},
    "rmsprop": {"alpha": 0.99, "epsilon": 1e-8, "momentum": 0.0, "weight_decay": 0.0},
}

#: Of these, what is kept of a running mean: with all of it kept nothing is averaged, with more it grows without end.
_SHARES = ("beta1", "beta2", "alpha", "momentum")

#: More cannot be meant: at a thousand updates a second so many take twelve days, at usual speeds years; no data set has so large a batch.
MOST_UPDATES, MOST_BATCH = 10**9, 10**7


@dataclass(frozen=True)
class Recipe:
    """Settings of one training."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    optimiser: Literal["adamw", "adam", "rmsprop", "adagrad"] = "adamw"
    learning_rate: float = 1e-3
    constants: dict[str, float] = field(default_factory=dict)
    """Of the optimiser, see `CONSTANTS`; those not given have torch's defaults."""
    batch: int = 64
    """Images an update."""
    warmup: int = 0
    """Updates over which the learning rate rises linearly, before the schedule."""
    schedule: Literal["constant", "cosine", "exponential"] = "cosine"
    """`constant`; `cosine` down to `final_rate * learning_rate`, which one more update would have; `exponential`,
    `learning_rate * decay ** update`."""
    final_rate: float = 0.0
    decay: float = 1.0
    ema: float = 0.0
    """Decay of the averaged weights, which are evaluated; 0 evaluates the raw ones."""
    clip: float = 1.0
    """Largest global L2 norm of the gradient; 0 clips nothing."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`fp32`, `bf16` (autocast) or `auto` (bf16 on CUDA, fp32 elsewhere), resolved before the run key is taken."""
    select: Literal["last", "best-validation"] = added_later("last")
    """Which weights, of the model or its average, are evaluated: the `last`, or those of the first best of at least 20 scores on the
    validation images, `best-validation`."""
    split: SplitName = added_later("held-out")
    """With `all-training`, training sees the task's validation images too, where it has such a split (`Task.with_split`); then nothing is
    validated, and the test images are the same."""
    clip_value: float = added_later(0.0)
    """Largest size of each number of the gradient, clipped before its norm is; 0 clips nothing."""

    def __post_init__(self) -> None:
        known = CONSTANTS.get(self.optimiser, {})
        strange = sorted(set(self.constants) - set(known))
        if strange:
            raise ValueError(f"constants of {self.optimiser} are {', '.join(known)}; got {', '.join(strange)}")
        object.__setattr__(self, "constants", {**known, **self.constants})
        for name, value in self.constants.items():
            share = name in _SHARES
            _within(f"constants.{name}", value, 0.0, 1.0 if share else float("inf"), open_high=share)
        _within("learning_rate", self.learning_rate, 0.0, float("inf"), open_low=True)
        _within("ema", self.ema, 0.0, 1.0, open_high=True)
        _within("decay", self.decay, 0.0, 1.0, open_low=True)
        _within("final_rate", self.final_rate, 0.0, 1.0)
        _within("clip", self.clip, 0.0, float("inf"))
        _within("clip_value", self.clip_value, 0.0, float("inf"))
        _within("warmup", self.warmup, 0, float("inf"))
        _within("batch", self.batch, 1, float("inf"))
        for name, most in (("warmup", MOST_UPDATES), ("batch", MOST_BATCH)):
            if getattr(self, name) > most:
                raise ValueError(f"{name} must be at most {most:,}, got {getattr(self, name):,}")

    def incompatibility(
        self,
        *,
        validation_images: int | None = None,
        micro_batch: int | None = None,
        whole_batch: str | None = None,
        world_size: int = 1,
    ) -> str | None:
        """Why there can be no such training, without a final stop; None where there can.

        Args:
            validation_images: how many there are; None is not known.
            micro_batch: at most so many images are to be trained on at once; None is all of a batch.
            whole_batch: `Settings.whole_batch` of the network, or the name of a layer of that kind.
            world_size: how many processes share a batch.
        """
        if self.select == "best-validation" and validation_images == 0:
            return f"select = '{self.select}' needs validation images, and there are none; expected 'last'"
        if world_size > self.batch:
            return f"a batch of {self.batch:,} images cannot be shared by {world_size:,} processes; expected at most {self.batch:,}"
        if world_size > 1 and whole_batch is not None:
            return f"{whole_batch} is of the mean of a whole batch, so that {world_size:,} processes cannot share its {self.batch:,} images"
        if micro_batch is None or micro_batch >= self.batch:
            return None
        if whole_batch is not None:
            return f"{whole_batch} is of the mean of a whole batch, so its {self.batch:,} images cannot be taken {micro_batch:,} at a time"
        if micro_batch >= 1 and self.batch % micro_batch == 0:
            return None
        fitting = next(size for size in range(max(micro_batch, 1), 0, -1) if self.batch % size == 0)
        return f"a batch of {self.batch:,} images cannot be taken {micro_batch:,} at a time; expected a divisor, such as {fitting:,}"

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {name: dict(value) if isinstance(value, dict) else value for name, value in vars(self).items()}


def _within(name: str, value: float, low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> None:
    inside = (value > low if open_low else value >= low) and (value < high if open_high else value <= high)
    if not inside:
        raise ValueError(
            f"{name} must be {'above' if open_low else 'at least'} {low:g}"
            + (f" and {'below' if open_high else 'at most'} {high:g}" if high != float("inf") else "")
            + f", got {value:g}"
        )
