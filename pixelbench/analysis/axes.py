"""The axes of ablation: one setting each, its baseline value, and what each value is in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Axis:
    """One design choice.

    `name` is what `pixelbench ablate` calls it. A baseline has `setting` at the value `baseline`, its variants at one of `values`, in this
    order. Depth has no fixed values (`values` is empty): there the baseline is the network that is called like its family.
    """

    name: str
    setting: str
    baseline: object
    values: tuple[object, ...]
    title: str
    question: str
    words: Mapping[object, str] = field(default_factory=dict)

    def in_words(self, value: object) -> str:
        """`vertical layers all strictly above their row`, for depth `3 layers`."""
        if value in self.words:
            return self.words[value]
        return f"{value} {self.setting if value != 1 else self.setting.removesuffix('s')}"


#: PixelVAE's setting that says by which way z reaches the pixels; its baseline is the same network without z, which is another family.
DECODER = "decoder"
DEPTH = "layers"

AXES = (
    Axis(
        name="colour-conditioning",
        setting="colour_conditioning",
        baseline=True,
        values=(False,),
        title="Colour conditioning",
        question="What becomes of the colours where green does not see red, and blue neither of them, at the same pixel?",
        words={True: "colours conditioned", False: "no colour sees another at the same pixel"},
    ),
    Axis(
        name="blind-spot",
        setting="stacks",
        baseline="two",
        values=("one", "legacy"),
        title="The blind spot",
        question="What does it cost not to see the pixels to the upper right?",
        words={
            "two": "two stacks",
            "one": "one stack of masked convolutions",
            "legacy": "two stacks, all vertical layers strictly above their row",
        },
    ),
    Axis(
        name="first-layer-residual",
        setting="first_layer",
        baseline="causal",
        values=("residual",),
        title="A residual connection around the first layer",
        question="What is a model worth that sees the pixel it predicts, because its first masked layer is bypassed?",
        words={"causal": "nothing around it", "residual": "a residual connection around the first masked layer"},
    ),
    Axis(
        name="first-layer-mask",
        setting="first_layer",
        baseline="causal",
        values=("mask-b",),
        title="Mask B in the first layer",
        question="What is a model worth that sees the pixel it predicts, because its first mask lets that pixel through?",
        words={"causal": "mask A", "mask-b": "mask B"},
    ),
    Axis(
        name="gates",
        setting="gates",
        baseline=True,
        values=(False,),
        title="Gated activations",
        question="What is tanh times sigmoid worth beside a ReLU?",
        words={True: "tanh times sigmoid", False: "ReLU"},
    ),
    Axis(
        name="vertical-to-horizontal",
        setting="vertical_to_horizontal",
        baseline=True,
        values=(False,),
        title="The link from the vertical to the horizontal stack",
        question="What is lost where the stack that predicts does not see the rows above?",
        words={True: "linked", False: "link cut"},
    ),
    Axis(
        name="residual",
        setting="residual",
        baseline=True,
        values=(False,),
        title="Residual connections",
        question="What are residual connections between the layers worth?",
        words={True: "with residual connections", False: "without residual connections"},
    ),
    Axis(
        name="output",
        setting="head",
        baseline="softmax",
        values=("logistic-mixture",),
        title="The output distribution",
        question="Softmax over all levels, or a mixture of logistics that knows which levels are neighbours?",
        words={"softmax": "softmax", "logistic-mixture": "mixture of logistics"},
    ),
    Axis(
        name="vae-decoder",
        setting=DECODER,
        baseline=None,
        values=("without-upsampling", "with-upsampling", "spatial", "straight"),
        title="How a latent vector reaches the decoder",
        question="What does a latent vector z add to the same network, and by which way does it best reach the pixels?",
        words={
            None: "no z",
            "without-upsampling": "z biases every gated layer and the head",
            "with-upsampling": "maps made of z stand beside the image",
            "spatial": "maps made of z enter every layer",
            "straight": "z biases the gated layers alone",
        },
    ),
    Axis(
        name="depth",
        setting=DEPTH,
        baseline=None,
        values=(),
        title="Depth",
        question="What do more layers bring in the same number of updates?",
    ),
)
