"""Settings of the baselines."""

from dataclasses import dataclass

from pixelbench.models.settings.common import Settings


@dataclass(frozen=True)
class NoSettings(Settings):
    """A baseline without anything to set."""


@dataclass(frozen=True)
class HistogramSettings(Settings):
    """`pseudo_count` is added to every level's count at every position and colour (1/2: Krichevsky and Trofimov 1981)."""

    pseudo_count: float = 0.5

    def __post_init__(self) -> None:
        if not self.pseudo_count > 0:
            raise ValueError(f"pseudo_count must be above 0, or an unseen level has no probability; got {self.pseudo_count:g}")
