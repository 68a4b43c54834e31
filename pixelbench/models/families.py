"""The families by name: settings with defaults, paper, where the network is. No torch, so planning and listing are instant."""

import importlib
import json
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from pixelbench.errors import UserError, unknown
from pixelbench.levels import MOST_CODED, MOST_LEVELS
from pixelbench.models.settings.baselines import HistogramSettings, NoSettings
from pixelbench.models.settings.common import Settings
from pixelbench.models.settings.gated import GatedPixelCNNSettings
from pixelbench.models.settings.lstm import DiagonalBiLSTMSettings, RowLSTMSettings
from pixelbench.models.settings.pixelcnn import PixelCNNSettings, PlainPixelCNNSettings
from pixelbench.models.settings.pixelcnn_pp import PixelCNNPPSettings
from pixelbench.models.settings.pixelsnail import PixelSNAILSettings
from pixelbench.models.settings.pixelvae import PixelVAESettings
from pixelbench.models.settings.predecessors import FVSBNSettings, MADESettings, MixtureOfBernoullisSettings, NADESettings

Kind = Literal["network", "fitted", "codec"]


@dataclass(frozen=True)
class Published:
    """Settings that a paper states for one data set, as far as it does. `where`: data set and place; `shape`: (C, H, W)."""

    where: str
    shape: tuple[int, int, int]
    levels: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Family:
    """What the rest of PixelBench knows of a family before torch is loaded.

    `kind`: a `network` is trained by gradient; a `fitted` family counts the training images, once or often; a `codec` is a lossless image
    format, no module at all. `small` is a height and a width that differ, fit the default settings, and allow a complete map in seconds.
    `version` enters the run key: it rises when the function that the settings describe changes. `latent`: its likelihood is a bound, by
    ELBO or importance samples. `levels`: the only number of levels that it is for; None is any.
    """

    name: str
    title: str
    paper: str
    kind: Kind
    settings: type[Settings]
    module: str
    published: tuple[Published, ...] = ()
    small: tuple[int, int] = (8, 7)
    version: int = 1
    latent: bool = False
    levels: int | None = None

    def parse(self, overrides: dict[str, Any]) -> Settings:
        """Overrides on the defaults → all settings.

        Raises:
            UserError: a name the family does not have, or a value out of range.
        """
        known = [f.name for f in fields(self.settings)]
        for name in overrides:
            if name not in known:
                raise unknown(f"setting of {self.name}", name, known) if known else UserError(f"{self.name} has no settings; got '{name}'.")
        try:
            return _adapter(self.settings).validate_json(json.dumps(overrides))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            raise UserError(f"{self.name}: {where + ': ' if where else ''}{message}.") from None

    def misfit(self, settings: Settings, channels: int, height: int, width: int, levels: int) -> str | None:
        """Why no model of these settings can be built for such images, without a final stop; None where one can."""
        if levels > MOST_LEVELS:
            return f"images have at most {MOST_LEVELS:,} levels, these have {levels:,}"
        if self.kind == "codec" and levels > MOST_CODED:
            return f"{self.name} stores a byte for each value, so at most {MOST_CODED} levels; these images have {levels:,}"
        try:
            settings.check_fit(channels, height, width, levels)
        except ValueError as error:
            return str(error)
        return None


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("uniform", "Uniform distribution", "analytic", "fitted", NoSettings, "pixelbench.models.baselines"),
        Family("histogram", "Histogram per position and colour", "counting", "fitted", HistogramSettings, "pixelbench.models.baselines"),
        Family("png", "PNG, test images as one mosaic", "ISO/IEC 15948", "codec", NoSettings, "pixelbench.evaluation.codecs"),
        Family("webp", "WebP lossless, test images as one mosaic", "RFC 9649", "codec", NoSettings, "pixelbench.evaluation.codecs"),
        Family(
            "mixture-of-bernoullis",
            "Mixture of Bernoullis, by expectation maximisation",
            "Larochelle and Murray 2011, section 6",
            "fitted",
            MixtureOfBernoullisSettings,
            "pixelbench.models.mixture_of_bernoullis",
            levels=2,
        ),
        Family(
            "fvsbn",
            "FVSBN: one logistic regression a bit",
            "Frey 1998; Larochelle and Murray 2011",
            "network",
            FVSBNSettings,
            "pixelbench.models.fvsbn",
            levels=2,
        ),
        Family(
            "nade",
            "NADE: one hidden layer, grown bit by bit",
            "Larochelle and Murray 2011, section 3",
            "network",
            NADESettings,
            "pixelbench.models.nade",
            published=(Published("binarised MNIST", (1, 28, 28), 2, {"hidden": 500}),),
            levels=2,
        ),
        Family(
            "made",
            "MADE: a masked autoencoder, or a mixture of its masks",
            "Germain et al. 2015, section 4",
            "network",
            MADESettings,
            "pixelbench.models.made",
            published=(
                Published("binarised MNIST, 1 layer", (1, 28, 28), 2, {"layers": 1, "hidden": 8000}),
                Published(
                    "binarised MNIST, 2 layers, the authors' command",
                    (1, 28, 28),
                    2,
                    {"layers": 2, "hidden": 8000, "masks": 32, "direct": True, "order": "random"},
                ),
            ),
            levels=2,
        ),
        Family(
            "pixelcnn",
            "PixelCNN: one stack, residual blocks",
            "van den Oord et al. 2016a, sections 3.3-3.5",
            "network",
            PixelCNNSettings,
            "pixelbench.models.pixelcnn",
            published=(Published("CIFAR-10, section 4", (3, 32, 32), 256, {"layers": 15, "maps": 128, "head_maps": 1024, "skip": True}),),
        ),
        Family(
            "pixelcnn-plain",
            "Masked convolutions with ReLU, nothing else",
            "van den Oord et al. 2016a, section 3.4",
            "network",
            PlainPixelCNNSettings,
            "pixelbench.models.pixelcnn_plain",
        ),
        Family(
            "row-lstm",
            "Row LSTM: recurrent down the rows",
            "van den Oord et al. 2016a, section 3.1",
            "network",
            RowLSTMSettings,
            "pixelbench.models.row_lstm",
            published=(
                Published("CIFAR-10, section 4", (3, 32, 32), 256, {"layers": 12, "maps": 128, "head_maps": 1024, "skip": True}),
                Published("ImageNet 32x32, section 4", (3, 32, 32), 256, {"layers": 12, "maps": 384, "head_maps": 1024, "skip": True}),
            ),
        ),
        Family(
            "diagonal-bilstm",
            "Diagonal BiLSTM: recurrent along the diagonals, from both sides",
            "van den Oord et al. 2016a, section 3.2",
            "network",
            DiagonalBiLSTMSettings,
            "pixelbench.models.diagonal_bilstm",
            published=(
                Published(
                    "binarised MNIST, 7 layers, section 4",
                    (1, 28, 28),
                    2,
                    {"layers": 7, "maps": 16, "head_maps": 32, "skip": True, "head": "bernoulli"},
                ),
                Published(
                    "binarised MNIST, 1 layer, table 4",
                    (1, 28, 28),
                    2,
                    {"layers": 1, "maps": 32, "head_maps": 32, "skip": True, "head": "bernoulli"},
                ),
                Published("CIFAR-10, section 4", (3, 32, 32), 256, {"layers": 12, "maps": 128, "head_maps": 1024, "skip": True}),
            ),
        ),
        Family(
            "gated-pixelcnn",
            "Gated PixelCNN: two stacks, gates",
            "van den Oord et al. 2016b, section 2",
            "network",
            GatedPixelCNNSettings,
            "pixelbench.models.gated_pixelcnn",
            published=(
                Published("ImageNet 32x32, section 3.1", (3, 32, 32), 256, {"layers": 20, "maps": 384, "kernel": 5}),
                Published("ImageNet 64x64, section 3.1", (3, 64, 64), 256, {"layers": 20, "maps": 384, "kernel": 5}),
            ),
        ),
        Family(
            "pixelvae",
            "PixelVAE: latents and a Gated PixelCNN as decoder",
            "Gulrajani et al. 2017, sections 3 and 3.1",
            "network",
            PixelVAESettings,
            "pixelbench.models.pixelvae",
            published=(
                Published(
                    "binarised MNIST, the authors' code (README)",
                    (1, 28, 28),
                    2,
                    {
                        "decoder": "without-upsampling",
                        "layers": 12,
                        "maps": 16,
                        "kernel": 5,
                        "latent": 16,
                        "head": "bernoulli",
                        "kl_warmup": 10_000,
                    },
                ),
            ),
            small=(9, 8),
            latent=True,
        ),
        Family(
            "pixelcnn-pp",
            "PixelCNN++: shifted convolutions at several resolutions",
            "Salimans et al. 2017, section 2",
            "network",
            PixelCNNPPSettings,
            "pixelbench.models.pixelcnn_pp",
            published=(Published("CIFAR-10, the authors' code", (3, 32, 32), 256, {"layers": 5, "maps": 160, "scales": 3}),),
            small=(4, 8),
        ),
        Family(
            "pixelsnail",
            "PixelSNAIL: causal convolutions and attention in turn",
            "Chen et al. 2018",
            "network",
            PixelSNAILSettings,
            "pixelbench.models.pixelsnail",
            published=(
                Published(
                    "CIFAR-10, the authors' code",
                    (3, 32, 32),
                    256,
                    {"blocks": 12, "layers": 4, "maps": 256, "key_maps": 16, "value_maps": 128},
                ),
            ),
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
        levels: how many values a sub-pixel can have, 2 to 65,536.
        **settings: overrides of the family's defaults.

    Raises:
        UserError: unknown family or setting, a value out of range, settings that do not fit the images, or a codec (which is no module).
    """
    found = get_family(family)
    if found.kind == "codec":
        raise UserError(f"{family} is a lossless image format, not a module; choose a network or a fitted baseline.")
    if min(channels, height, width) < 1 or not 2 <= levels <= MOST_LEVELS:
        said = f"{channels}x{height}x{width} with {levels} levels"
        raise UserError(f"Images need positive sizes and 2 to {MOST_LEVELS:,} levels; got {said}.")
    chosen = found.parse(settings)
    misfit = found.misfit(chosen, channels, height, width, levels)
    if misfit:
        raise UserError(f"{family}: {misfit}.")
    build = importlib.import_module(found.module).BUILDERS[family]
    return build(channels, height, width, levels, chosen)


@cache
def _adapter(settings: type) -> TypeAdapter[Any]:
    return TypeAdapter(settings)
