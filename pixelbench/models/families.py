"""The families by name: settings with defaults, paper, where the network is. No torch, so planning and listing are instant."""

import importlib
import json
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pixelbench.errors import UserError, unknown

FirstLayer = Literal["causal", "residual", "mask-b"]
InputEncoding = Literal["scalar", "one-hot"]


@dataclass(frozen=True)
class NoSettings:
    """A baseline without anything to set."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]


@dataclass(frozen=True)
class HistogramSettings:
    """`pseudo_count` is added to every level's count at every position and colour (1/2: Krichevsky and Trofimov 1981)."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    pseudo_count: float = 0.5

    def __post_init__(self) -> None:
        if not self.pseudo_count > 0:
            raise ValueError(f"pseudo_count must be above 0, or an unseen level has no probability; got {self.pseudo_count:g}")


@dataclass(frozen=True)
class PixelCNNSettings:
    """`layers` counts the blocks after the first convolution. `maps` is h; the residual path has 2h.

    `first_layer` is `causal`, or one of two planted faults: `residual` (a residual connection around the first layer) and `mask-b`
    (mask B where mask A belongs). Both let a sub-pixel see itself.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    layers: int = 7
    maps: int = 64
    kernel: int = 3
    first_kernel: int = 7
    head_maps: int = 64
    colour_conditioning: bool = True
    first_layer: FirstLayer = "causal"
    input_encoding: InputEncoding = "scalar"

    def __post_init__(self) -> None:
        for name in ("maps", "head_maps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.layers < 0:
            raise ValueError(f"layers must be at least 0, got {self.layers}")
        for name in ("kernel", "first_kernel"):
            if getattr(self, name) < 3 or getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} must be odd and at least 3, got {getattr(self, name)}")


@dataclass(frozen=True)
class GatedPixelCNNSettings(PixelCNNSettings):
    """As `PixelCNNSettings`, with h maps in both stacks. `gates = false` puts a ReLU in place of tanh times sigmoid."""

    gates: bool = True


Kind = Literal["network", "fitted", "codec"]


@dataclass(frozen=True)
class Family:
    """What the rest of PixelBench knows of a family before torch is loaded.

    `kind`: a `network` is trained by gradient; a `fitted` baseline counts the training images; a `codec` is a lossless image format, no
    module at all. `version` enters the run key: it rises when the function that the settings describe changes.
    """

    name: str
    title: str
    paper: str
    kind: Kind
    settings: type
    module: str
    version: int = 1

    def parse(self, overrides: dict[str, Any]) -> dict[str, Any]:
        """Overrides on the defaults → all settings as plain JSON values.

        Raises:
            UserError: a name the family does not have, or a value out of range.
        """
        known = [f.name for f in fields(self.settings)]
        for name in overrides:
            if name not in known:
                raise unknown(f"setting of {self.name}", name, known) if known else UserError(f"{self.name} has no settings; got '{name}'.")
        try:
            return dict(vars(_adapter(self.settings).validate_json(json.dumps(overrides))))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            raise UserError(f"{self.name}: {where + ': ' if where else ''}{message}.") from None

    def source_modules(self) -> list[str]:
        """The modules whose text decides what the network computes: their digest tells a stale run."""
        shared = [] if self.kind == "codec" else ["pixelbench.models.base", "pixelbench.models.sampling"]
        layers = ["pixelbench.models.causal"] if self.kind == "network" else []
        return [self.module, *shared, *layers]


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("uniform", "Uniform distribution", "analytic", "fitted", NoSettings, "pixelbench.models.baselines"),
        Family("histogram", "Histogram per position and colour", "counting", "fitted", HistogramSettings, "pixelbench.models.baselines"),
        Family("png", "PNG, test images as one mosaic", "ISO/IEC 15948", "codec", NoSettings, "pixelbench.evaluation.codecs"),
        Family("webp", "WebP lossless, test images as one mosaic", "RFC 9649", "codec", NoSettings, "pixelbench.evaluation.codecs"),
        Family(
            "pixelcnn",
            "PixelCNN: one stack, residual blocks",
            "van den Oord et al. 2016a, sections 3.3-3.5",
            "network",
            PixelCNNSettings,
            "pixelbench.models.pixelcnn",
        ),
        Family(
            "gated-pixelcnn",
            "Gated PixelCNN: two stacks, gates",
            "van den Oord et al. 2016b, section 2",
            "network",
            GatedPixelCNNSettings,
            "pixelbench.models.gated_pixelcnn",
        ),
    )
}


def get_family(name: str) -> Family:
    """The family of that name.

    Raises:
        UserError: no such family; the message names the nearest one.
    """
    if name not in FAMILIES:
        raise unknown("model", name, FAMILIES)
    return FAMILIES[name]


def create_model(family: str, *, channels: int, height: int, width: int, levels: int, **settings: Any) -> Any:
    """A freshly initialised module of a family; imports torch.

    Args:
        family: a name of `pixelbench list models`.
        channels, height, width: the images' shape.
        levels: how many values a sub-pixel can have, 2 to 256.
        **settings: overrides of the family's defaults.

    Raises:
        UserError: unknown family or setting, a value out of range, or a codec (which is no module).
    """
    found = get_family(family)
    if found.kind == "codec":
        raise UserError(f"{family} is a lossless image format, not a module; choose a network or a fitted baseline.")
    if min(channels, height, width) < 1 or not 2 <= levels <= 256:
        raise UserError(f"Images need positive sizes and 2 to 256 levels; got {channels}x{height}x{width} with {levels} levels.")
    build = importlib.import_module(found.module).BUILDERS[family]
    return build(channels, height, width, levels, found.settings(**found.parse(settings)))


@cache
def _adapter(settings: type) -> TypeAdapter[Any]:
    return TypeAdapter(settings)
