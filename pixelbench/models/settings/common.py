"""Settings that several families share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

FirstLayer = Literal["causal", "residual", "mask-b"]
InputEncoding = Literal["scalar", "one-hot"]
HeadName = Literal["softmax", "bernoulli", "logistic-mixture"]
#: Maps, kernels, classes and all else that is counted: over five times the width of GPT-3.
MOST_WIDE = 1 << 16


@dataclass(frozen=True)
class Settings:
    """The base of all settings: strict types, no unknown names."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    @property
    def whole_batch(self) -> str | None:
        """The setting by which a loss is no mean over images, so that a batch cannot be trained on in parts; None where there is none."""
        return None

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values, for the run key and the record."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        """Raise ValueError where no network of these settings can be built for such images; one sentence without a final stop."""


@dataclass(frozen=True)
class NetworkSettings(Settings):
    """Settings of every network. `components` are those of a logistic mixture."""

    colour_conditioning: bool = True
    input_encoding: InputEncoding = "scalar"
    head: HeadName = "softmax"
    components: int = 10

    #: Of numbers that are no widths, the most that can be meant: networks of 10,000 layers are the deepest that anybody trained (Xiao et
    #: al. 2018), and a warm-up is not longer than a training.
    most: ClassVar[Mapping[str, int]] = {"layers": 10_000, "blocks": 10_000, "kl_warmup": 10**9}

    def __post_init__(self) -> None:
        check_most(self, self.most)
        check_least(self, 1, "components")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        if self.head == "bernoulli" and levels != 2:
            raise ValueError(f"head = 'bernoulli' is for images of 2 levels, these have {levels}; choose 'softmax' or 'logistic-mixture'")


def check_maps(settings: Settings, channels: int, *names: str) -> None:
    """Raise ValueError where a colour would have no feature map of its own."""
    for name in names:
        if getattr(settings, name) < channels:
            raise ValueError(f"{name} must be at least {channels}, one a colour, got {getattr(settings, name)}")


def check_odd(settings: Settings, *names: str) -> None:
    """Raise ValueError where a kernel has no centre or no neighbour."""
    for name in names:
        if getattr(settings, name) < 3 or getattr(settings, name) % 2 == 0:
            raise ValueError(f"{name} must be odd and at least 3, got {getattr(settings, name)}")


def check_most(settings: Settings, most: Mapping[str, int]) -> None:
    """Raise ValueError where a whole number, or the length of a list, is above what `most` or, of others, `MOST_WIDE` says."""
    for name, value in vars(settings).items():
        limit = most.get(name, MOST_WIDE)
        numbers = [*value, len(value)] if isinstance(value, tuple) else [value]
        if any(isinstance(number, int) and number > limit for number in numbers):
            raise ValueError(f"{name} must be at most {limit:,}, or no machine holds the network, got {max(numbers):,}")


def check_least(settings: Settings, least: float, *names: str) -> None:
    """Raise ValueError where a number is below `least`."""
    for name in names:
        if getattr(settings, name) < least:
            raise ValueError(f"{name} must be at least {least:g}, got {getattr(settings, name):g}")
