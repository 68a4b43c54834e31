"""What is timed of a network: a training step, a batch that is scored, images that are drawn, one forward pass; and the device's roof."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pixelbench.evaluation.codecs import code_length_bits
from pixelbench.evaluation.sample_batches import some_condition
from pixelbench.levels import integers_for
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model, get_family
from pixelbench.models.families.latent_variable import LatentVariableModel
from pixelbench.models.scoring import batched_nats
from pixelbench.store.documents.bench_records import Subject
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import MOST_UPDATES, Recipe
from pixelbench.training.seeding import generator, seed_everything

Do = Callable[[], object]

#: Sides of the square matrices, and images of the convolution (64 maps of 28x28 by 3x3, channels last), whose rates are the roof: so large
#: that the rate no longer grows with them.
_PRODUCT = {"cpu": 1024, "cuda": 8192}
_CONVOLVED = {"cpu": 32, "cuda": 1024}
_MAPS, _SIDE = 64, 28
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def random_images(subject: Subject, count: int, device: str = "cpu") -> Tensor:
    """(count, C, H, W) integers: what the values are changes no time."""
    kind = getattr(torch, integers_for(subject.levels))
    drawn = torch.randint(subject.levels, (count, *subject.shape), generator=generator(0, "images to measure by"))
    return drawn.to(kind).to(device)


class Actions:
    """A subject's network on a device, and what can be done with it.

    Attributes:
        model: None for a lossless image format.
        cached: images are drawn by the incremental mode.
    """

    def __init__(self, subject: Subject, device: str):
        self.subject, self.device = subject, device
        self.kind = get_family(subject.family).kind
        self.model: AutoregressiveModel | None = None
        channels, height, width = subject.shape
        if self.kind != "codec":
            seed_everything(0, "weights")
            shape = {"channels": channels, "height": height, "width": width, "levels": subject.levels}
            self.model = create_model(subject.family, **shape, **subject.settings).to(device)
        self.cached = self.model is not None and self.model.incremental

    def training(self) -> Do | None:
        """One update: forward and backward pass, clipping, optimiser, average; None for what is not trained by gradient."""
        if self.model is None or self.kind != "network":
            return None
        subject, condition = self.subject, self.condition(2 * self.subject.batch)
        images = random_images(subject, 2 * subject.batch)
        trainer = Trainer(
            self.model,
            images,
            images[:1],
            Recipe(**subject.recipe),
            TrainingPlan(MOST_UPDATES, 0),
            conditions=None if condition is None else (condition, condition[:1]),
        )
        return trainer.step

    def scoring(self) -> Do:
        """The likelihood of a batch; of an image format, its encoding."""
        images = random_images(self.subject, self.subject.batch, self.device)
        model, levels, family = self.model, self.subject.levels, self.subject.family
        if model is None:
            arrays = images.numpy()
            return lambda: code_length_bits(arrays, levels, family)
        condition = self.condition(len(images))
        estimation: dict[str, Any] = {"importance_samples": 1} if model.latent else {}
        return lambda: batched_nats(model, images, condition, **estimation)

    def sampling(self, count: int) -> Do:
        """So many new images at once, by the fastest exact sampler."""
        model = self.model
        assert model is not None, "an image format draws nothing"
        condition, chance = self.condition(count), generator(0, "samples")
        return lambda: model.sample(count, condition=condition, generator=chance)

    def forward(self, count: int) -> Do:
        """The distributions of so many images, in one whole pass: what naive sampling does for every sub-pixel. Of a network with latents,
        those of its decoder."""
        model = self.model
        assert model is not None, "an image format has no forward pass"
        images, condition = random_images(self.subject, count, self.device), self.condition(count)
        if isinstance(model, LatentVariableModel):
            z = torch.zeros(count, *model.latents.shapes[0], device=self.device)
            model, condition = model.decoder, model.decoded(z).detach()

        @torch.inference_mode()
        def passed() -> Tensor:
            return model.eval().conditionals(images, condition)

        return passed

    def condition(self, count: int) -> Tensor | None:
        """What so many images are conditioned on; None for a model without."""
        return None if self.model is None else some_condition(self.model, count)


def matrix_product(device: str, precision: str) -> Do:
    """A product of two square matrices."""
    side = _PRODUCT[torch.device(device).type]
    one, other = (torch.randn(side, side, device=device).to(_DTYPES[precision]) for _ in range(2))
    return torch.inference_mode()(lambda: one @ other)


def convolution(device: str, precision: str) -> Do:
    """A convolution of many maps, as the networks' layers are."""
    images = torch.randn(_CONVOLVED[torch.device(device).type], _MAPS, _SIDE, _SIDE, device=device)
    layer: Any = torch.nn.Conv2d(_MAPS, _MAPS, 3, padding=1, device=device, dtype=_DTYPES[precision])
    layer = layer.to(memory_format=torch.channels_last)
    images = images.to(_DTYPES[precision], memory_format=torch.channels_last)
    return torch.inference_mode()(lambda: layer(images))


def flop_of(action: Do) -> int:
    """Floating-point operations of the matrix products, convolutions and attention of one call, its backward pass included: two for each
    multiply-add that is executed. Zeros of a mask count where they are multiplied, taps that are not stored do not; sums, activations and
    the optimiser do not count."""
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops()
