"""A device that is not there: its tensors have shapes, types and a place, and no values.

torch's fake tensors refuse whatever would read a value back to the host, and products of tensors of different places. A build of torch for
CPUs alone has no guard for CUDA, without which even an index fails; so the place is torch's spare device, named here. It is registered for
the whole process, and so used in one of its own (`Elsewhere`).
"""

import copy
import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils import backend_registration

from pixelbench.models import sampling
from pixelbench.models.base import AutoregressiveModel, Stepper
from pixelbench.models.families.latent_variable import LatentVariableModel
from pixelbench.models.scoring import batched_nats
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from tests.laws.families import CONDITIONED, random_conditions, random_images, shape_of, tiny

NAME = "spare"
BATCH = 6
#: Averages, clips in both ways, and takes a batch in parts.
RECIPE: dict[str, Any] = {"batch": BATCH, "precision": "fp32", "ema": 0.9, "clip": 0.05, "clip_value": 1.0, "warmup": 2}
Fault = Callable[[AutoregressiveModel], object]
Factor = Callable[[Tensor], Any]
Way = Literal["scored", "naive", "cached"]


class Elsewhere:
    """Another process that has the spare device; `fails` is `forward_passes` there."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_register)

    def fails(self, name: str, ways: Sequence[Way], fault: Fault | None = None) -> str | None:
        """None, or how it failed."""
        return self._pool.submit(forward_passes, name, ways, fault).result()

    def end(self) -> None:
        """End the process."""
        self._pool.shutdown()


class _Backend(backend_registration._DummyBackendModule):
    """What torch asks of a device's module, with autocast."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


def _register() -> None:
    backend_registration._setup_privateuseone_for_python_backend(NAME, _Backend())


def forward_passes(name: str, ways: Sequence[Way], fault: Fault | None = None) -> str | None:
    """Score images, and draw some of which a part is known, with weights and images on the spare device.

    Returns:
        None, or the name and text of the error.
    """
    place, mode = torch.device(NAME, 0), FakeTensorMode(allow_non_fake_inputs=True)

    def moved(tensor: Tensor) -> Tensor:
        return FakeTensor(mode, tensor.to("meta"), place)

    model = tiny(name, shape_of(name, (3, 2, 2))).float()
    if fault is not None:
        fault(model)
    images = random_images(2, model.shape, model.levels)
    condition = random_conditions(name, 2, model.shape) if name in CONDITIONED else None
    with mode, torch.inference_mode():
        model._apply(moved)  # what `to` moves
        there, given = moved(images), None if condition is None else moved(condition)
        try:
            for way in ways:
                if way == "scored":
                    draws = {"generator": torch.Generator(), "importance_samples": 2} if model.latent else {}
                    batched_nats(model, there, given, **draws)
                else:
                    known = moved(torch.zeros(2, *model.shape, dtype=torch.bool))
                    chance = sampling.Chance(moved(torch.rand(2, *model.shape)), known, {(0, 0, 0)}, 0.9)
                    sampling.fill(*_drawn(model, there, given, moved), chance, way)
        except Exception as error:
            return f"{type(error).__name__}: {error}\n{traceback.format_exc()[-1500:]}"
    return None


def _drawn(
    model: AutoregressiveModel, images: Tensor, condition: Tensor | None, moved: Callable[[Tensor], Tensor]
) -> tuple[AutoregressiveModel, Tensor, Tensor | None]:
    """The network that goes from sub-pixel to sub-pixel, and its condition: of one with latents the decoder, given some."""
    if not isinstance(model, LatentVariableModel):
        return model, images, condition
    normals = [moved(torch.randn(2, *shape)) for shape in model.latents.shapes]
    return model.decoder, images, model.decoded(model.latents.from_prior(normals)[0])


def trainer_on(device: str, name: str, fault: Fault | None = None, micro_batch: int | None = None) -> Trainer:
    """A training whose model and images are on that device."""
    model = tiny(name, shape_of(name, (3, 5, 4))).float()
    if fault is not None:
        fault(model)
    images = random_images(2 * BATCH, model.shape, model.levels)
    given = random_conditions(name, len(images), model.shape).to(device) if name in CONDITIONED else None
    conditions = None if given is None else (given, given[:0])
    # Images go first: where they come from is no part of an update.
    return Trainer(
        model.to(device),
        images.to(device),
        images[:0].to(device),
        Recipe(**RECIPE),
        TrainingPlan(4, 0, None, micro_batch),
        conditions=conditions,
    )


def updates_on_meta(name: str, fault: Fault | None = None) -> None:
    """Two whole updates on the device without values: forwards, backwards, clipping, optimiser, average.

    Raises:
        Exception: a value was asked for, or a tensor was elsewhere.
    """
    for micro_batch in (None, BATCH // 2):
        trainer = trainer_on("meta", name, fault, micro_batch)
        for _ in range(2):
            trainer._step()


def left_behind(model: nn.Module) -> list[str]:
    """The tensors of a model that `to` does not move, by name; single numbers may be anywhere."""
    model = copy.deepcopy(model).to("meta")
    owned = {"_parameters", "_buffers", "_modules"}
    found = [
        f"{path or 'model'}.{name}"
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if name not in owned and any(tensor.dim() for tensor in _tensors(value))
    ]
    registered = [*model.named_parameters(), *model.named_buffers()]
    return found + [name for name, tensor in registered if tensor.device.type != "meta"]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple | set):
        for part in value:
            yield from _tensors(part)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def reads_a_value(model: AutoregressiveModel) -> None:
    """Fault: the network asks for a value on its way."""
    _scaled_by(model, lambda raw: 1.0 + 0.0 * raw.detach().mean().item())


def computes_a_value(model: AutoregressiveModel) -> None:
    """Its mirror image: the same number stays where it is."""
    _scaled_by(model, lambda raw: 1.0 + 0.0 * raw.detach().mean())


def masks_from_the_host(model: AutoregressiveModel) -> None:
    """Fault: a mask is made where the process is, not where the maps are."""
    _scaled_by(model, lambda raw: torch.ones(1))


def masks_in_place(model: AutoregressiveModel) -> None:
    """Its mirror image."""
    _scaled_by(model, lambda raw: torch.ones(1, device=raw.device))


def keeps_a_plain_tensor(model: AutoregressiveModel) -> None:
    """Fault: a mask that is no buffer stays where it was made."""
    factors = model.factors = torch.ones(1)
    _scaled_by(model, lambda raw: factors)


def keeps_a_buffer(model: AutoregressiveModel) -> None:
    """Its mirror image."""
    model.register_buffer("factors", torch.ones(1))
    _scaled_by(model, lambda raw: model.get_buffer("factors"))


class _ScaledSteps:
    """A stepper whose logits are multiplied by something."""

    def __init__(self, steps: Stepper, factor: Factor):
        self.steps, self.factor = steps, factor
        self.begin_row, self.put = steps.begin_row, steps.put

    def logits(self, column: int, colour: int) -> Tensor:
        logits = self.steps.logits(column, colour)
        return logits * self.factor(logits)


def _scaled_by(model: AutoregressiveModel, factor: Factor) -> None:
    """Multiply what the network says in both modes."""
    forward, stepper = model.forward, model.stepper

    def scaled(images: Tensor, *condition: Tensor) -> Tensor:
        raw = forward(images, *condition)
        return raw * factor(raw)

    model.forward = scaled
    model.stepper = lambda batch, condition=None: _ScaledSteps(stepper(batch, condition), factor)
