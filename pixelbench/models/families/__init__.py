"""Our own families by name: settings with defaults, paper, where the network is. No torch, so planning and listing are instant."""

from pixelbench.models.foreign.family import module_family
from pixelbench.models.registry import FAMILIES, Family, Published, create_model, get_family, register_family
from pixelbench.models.settings.baselines import HistogramSettings, NoSettings
from pixelbench.models.settings.gated import GatedPixelCNNSettings
from pixelbench.models.settings.lstm import DiagonalBiLSTMSettings, RowLSTMSettings
from pixelbench.models.settings.pixelcnn import PixelCNNSettings, PlainPixelCNNSettings
from pixelbench.models.settings.pixelcnn_pp import PixelCNNPPSettings
from pixelbench.models.settings.pixelsnail import PixelSNAILSettings
from pixelbench.models.settings.pixelvae import PixelVAESettings, VAESettings
from pixelbench.models.settings.predecessors import FVSBNSettings, MADESettings, MixtureOfBernoullisSettings, NADESettings

__all__ = ["FAMILIES", "Family", "Published", "create_model", "get_family", "register_family"]

FAMILIES.add_source(module_family)

#: Maps of a narrow copy: four a colour, so that each colour group is more than one map wide.
_MAPS = (8, 4)

register_family(
    "uniform",
    build="pixelbench.models.families.baselines:Baseline",
    title="Uniform distribution",
    paper="analytic",
    kind="fitted",
)(NoSettings)

register_family(
    "histogram",
    build="pixelbench.models.families.baselines:Histogram",
    title="Histogram per position and colour",
    paper="counting",
    kind="fitted",
)(HistogramSettings)

register_family(
    "png",
    build="pixelbench.evaluation.codecs:encode_png",
    title="PNG, test images as one mosaic",
    paper="ISO/IEC 15948",
    kind="codec",
)(NoSettings)

register_family(
    "webp",
    build="pixelbench.evaluation.codecs:encode_webp",
    title="WebP lossless, test images as one mosaic",
    paper="RFC 9649",
    kind="codec",
)(NoSettings)

register_family(
    "mixture-of-bernoullis",
    build="pixelbench.models.families.mixture_of_bernoullis:MixtureOfBernoullis",
    title="Mixture of Bernoullis, by expectation maximisation",
    paper="Larochelle and Murray 2011, section 6",
    kind="fitted",
    levels=2,
    narrow={"components": 2},
)(MixtureOfBernoullisSettings)

register_family(
    "fvsbn",
    build="pixelbench.models.families.fvsbn:FVSBN",
    title="FVSBN: one logistic regression a bit",
    paper="Frey 1998; Larochelle and Murray 2011",
    levels=2,
)(FVSBNSettings)

register_family(
    "nade",
    build="pixelbench.models.families.nade:NADE",
    title="NADE: one hidden layer, grown bit by bit",
    paper="Larochelle and Murray 2011, section 3",
    published=(Published("binarised MNIST", (1, 28, 28), 2, {"hidden": 500}),),
    levels=2,
)(NADESettings)

register_family(
    "made",
    build="pixelbench.models.families.made:MADE",
    title="MADE: a masked autoencoder, or a mixture of its masks",
    paper="Germain et al. 2015, section 4",
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
    narrow={"masks": 2},  # two show whether they are mixed in one order
)(MADESettings)

register_family(
    "pixelcnn",
    build="pixelbench.models.families.pixelcnn:PixelCNN",
    title="PixelCNN: one stack, residual blocks",
    paper="van den Oord et al. 2016a, sections 3.3-3.5",
    published=(Published("CIFAR-10, section 4", (3, 32, 32), 256, {"layers": 15, "maps": 128, "head_maps": 1024, "skip": True}),),
    narrow={"maps": _MAPS, "head_maps": _MAPS, "components": 2},
)(PixelCNNSettings)

register_family(
    "pixelcnn-plain",
    build="pixelbench.models.families.pixelcnn_plain:PlainPixelCNN",
    title="Masked convolutions with ReLU, nothing else",
    paper="van den Oord et al. 2016a, section 3.4",
    narrow={"maps": _MAPS, "components": 2},
)(PlainPixelCNNSettings)

register_family(
    "row-lstm",
    build="pixelbench.models.families.row_lstm:RowLSTM",
    title="Row LSTM: recurrent down the rows",
    paper="van den Oord et al. 2016a, section 3.1",
    published=(
        Published("CIFAR-10, section 4", (3, 32, 32), 256, {"layers": 12, "maps": 128, "head_maps": 1024, "skip": True}),
        Published("ImageNet 32x32, section 4", (3, 32, 32), 256, {"layers": 12, "maps": 384, "head_maps": 1024, "skip": True}),
    ),
    narrow={"maps": _MAPS, "head_maps": _MAPS, "components": 2},
)(RowLSTMSettings)

register_family(
    "diagonal-bilstm",
    build="pixelbench.models.families.diagonal_bilstm:DiagonalBiLSTM",
    title="Diagonal BiLSTM: recurrent along the diagonals, from both sides",
    paper="van den Oord et al. 2016a, section 3.2",
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
    narrow={"maps": _MAPS, "head_maps": _MAPS, "components": 2},
)(DiagonalBiLSTMSettings)

register_family(
    "gated-pixelcnn",
    build="pixelbench.models.families.gated_pixelcnn:GatedPixelCNN",
    title="Gated PixelCNN: two stacks, gates",
    paper="van den Oord et al. 2016b, section 2",
    published=(
        Published("ImageNet 32x32, section 3.1", (3, 32, 32), 256, {"layers": 20, "maps": 384, "kernel": 5}),
        Published("ImageNet 64x64, section 3.1", (3, 64, 64), 256, {"layers": 20, "maps": 384, "kernel": 5}),
    ),
    narrow={"maps": _MAPS, "head_maps": _MAPS, "components": 2},
)(GatedPixelCNNSettings)

register_family(
    "pixelvae",
    build="pixelbench.models.families.pixelvae:PixelVAE",
    title="PixelVAE: latents and a Gated PixelCNN as decoder",
    paper="Gulrajani et al. 2017, sections 3 and 3.1",
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
    narrow={"maps": _MAPS, "head_maps": _MAPS, "encoder_maps": 8, "condition_maps": 8, "latent_maps": 4, "latent": 4, "components": 2},
)(PixelVAESettings)

register_family(
    "vae",
    build="pixelbench.models.families.vae:VAE",
    title="VAE: latents and a decoder without autoregressive layers",
    paper="Kingma and Welling 2014; Gulrajani et al. 2017, table 1",
    small=(9, 8),
    latent=True,
    narrow={"maps": _MAPS, "encoder_maps": 8, "latent": 4, "components": 2},
)(VAESettings)

register_family(
    "pixelcnn-pp",
    build="pixelbench.models.families.pixelcnn_pp:PixelCNNPP",
    title="PixelCNN++: shifted convolutions at several resolutions",
    paper="Salimans et al. 2017, section 2",
    published=(Published("CIFAR-10, the authors' code", (3, 32, 32), 256, {"layers": 5, "maps": 160, "scales": 3}),),
    small=(4, 8),
    narrow={"maps": _MAPS, "components": 2},
)(PixelCNNPPSettings)

register_family(
    "pixelsnail",
    build="pixelbench.models.families.pixelsnail:PixelSNAIL",
    title="PixelSNAIL: causal convolutions and attention in turn",
    paper="Chen et al. 2018",
    published=(
        Published(
            "CIFAR-10, the authors' code",
            (3, 32, 32),
            256,
            {"blocks": 12, "layers": 4, "maps": 256, "key_maps": 16, "value_maps": 128},
        ),
    ),
    narrow={"maps": _MAPS, "key_maps": 4, "value_maps": 8, "components": 2},
)(PixelSNAILSettings)
