"""Settings of Gated PixelCNN, also the conditional one."""

from dataclasses import dataclass
from typing import Literal

from pixelbench.models.settings.common import check_least
from pixelbench.models.settings.pixelcnn import PixelCNNSettings

Stacks = Literal["two", "one", "legacy"]
Condition = Literal["none", "class", "vector", "map"]
ConditionAt = Literal["layers", "layers-and-head", "first"]


@dataclass(frozen=True)
class GatedPixelCNNSettings(PixelCNNSettings):
    """As `PixelCNNSettings`, with h maps in both stacks.

    `gates = false` puts a ReLU in place of tanh times sigmoid; `vertical_to_horizontal = false` cuts the link between the stacks.
    `stacks`: `two`; `one`, a single stack of gated masked convolutions; `legacy`, vertical layers that are *all* strictly above their row,
    as several public versions have it. The last two keep a blind spot. `dilations` are taken in turn by the layers after the first.

    `condition`: `class` with so many `classes`, `vector` or `map` with `condition_size` numbers (a position). It is added to the layers as
    a bias that is the same at every position (2016b, eq. 4), with `per_position` as one of its own at each (not for maps, which have that
    already: eq. 5). `condition_at`: all gated layers, also the head, or the first layer alone.
    """

    gates: bool = True
    stacks: Stacks = "two"
    vertical_to_horizontal: bool = True
    dilations: tuple[int, ...] = (1,)
    condition: Condition = "none"
    classes: int = 0
    condition_size: int = 0
    per_position: bool = False
    condition_at: ConditionAt = "layers"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.dilations or min(self.dilations) < 1:
            raise ValueError(f"dilations must be whole numbers from 1 up, got {list(self.dilations)}")
        if not self.vertical_to_horizontal and self.stacks == "one":
            raise ValueError("vertical_to_horizontal = false needs two stacks")
        check_least(self, 0, "classes", "condition_size")
        if self.condition == "class" and self.classes < 2:
            raise ValueError(f"classes must be at least 2 with condition = 'class', got {self.classes}")
        if self.condition in ("vector", "map") and self.condition_size < 1:
            raise ValueError(f"condition_size must be at least 1 with condition = '{self.condition}', got {self.condition_size}")
        if self.condition != "class" and self.classes:
            raise ValueError(f"classes = {self.classes} has no meaning with condition = '{self.condition}'")
        if self.condition not in ("vector", "map") and self.condition_size:
            raise ValueError(f"condition_size = {self.condition_size} has no meaning with condition = '{self.condition}'")
        if self.per_position and self.condition not in ("class", "vector"):
            raise ValueError(f"per_position has no meaning with condition = '{self.condition}'")
        if self.condition == "none" and self.condition_at != "layers":
            raise ValueError("condition_at has no meaning without a condition")

    @property
    def condition_maps(self) -> int:
        """How many numbers the condition has (at a position); 0 without one."""
        return self.classes if self.condition == "class" else self.condition_size
