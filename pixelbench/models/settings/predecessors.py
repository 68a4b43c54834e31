"""Settings of the families before PixelRNN: densities of binary images as sequences of bits, in raster or a random order."""

from dataclasses import dataclass
from typing import Literal

from pixelbench.models.settings.common import Settings, check_least

Order = Literal["raster", "random"]


@dataclass(frozen=True)
class BinarySettings(Settings):
    """The shared restriction: two levels only."""

    order: Order = "raster"
    """In which order the bits are generated."""
    order_seed: int = 0
    """Which random order; part of the architecture, so that all seeds of a run have the same."""

    def __post_init__(self) -> None:
        check_least(self, 0, "order_seed")
        if self.order == "raster" and self.order_seed:
            raise ValueError(f"order_seed chooses a random order, got {self.order_seed} with order = 'raster'; say order = 'random'")

    def check_fit(self, channels: int, height: int, width: int, levels: int) -> None:
        if levels != 2:
            raise ValueError(f"this family is for images of 2 levels, these have {levels}; choose a task such as 'mnist-fixed'")


@dataclass(frozen=True)
class MixtureOfBernoullisSettings(BinarySettings):
    """A fitted family: EM."""

    components: int = 10
    iterations: int = 50
    """Of EM, each over all training images."""
    restarts: int = 1
    """Fits from other starts; the one that makes the training images likeliest is kept."""
    pseudo_count: float = 1.0
    """So many average training images are added to each component's own, or a pixel that it never saw would have no probability."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "components", "iterations", "restarts")
        if not self.pseudo_count > 0:
            raise ValueError(f"pseudo_count must be above 0, or an unseen level has no probability; got {self.pseudo_count:g}")


@dataclass(frozen=True)
class FVSBNSettings(BinarySettings):
    """One logistic regression a bit."""


@dataclass(frozen=True)
class NADESettings(BinarySettings):
    """One hidden layer with weights that all conditionals share."""

    hidden: int = 500
    """Hidden units."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "hidden")


@dataclass(frozen=True)
class MADESettings(BinarySettings):
    """A masked autoencoder."""

    layers: int = 1
    """Hidden layers."""
    hidden: int = 500
    """Units of each hidden layer."""
    masks: int = 1
    """Nets with weights in common and masks of their own, in one order; the model is their mixture."""
    mask_seed: int = 0
    """Which random masks; part of the architecture, so that the certificate is about those that are trained."""
    direct: bool = False
    """Whether each output also sees all earlier inputs directly."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "layers", "hidden", "masks")
        check_least(self, 0, "mask_seed")
