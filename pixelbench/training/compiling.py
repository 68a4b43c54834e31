"""The training loss through `torch.compile`: the same numbers to rounding, in fewer passes over memory, after a compilation of 2 to 60 s.

Only the loss is compiled, forward and backward; optimiser, average, validation and everything that is reported stay as they are. Random
numbers are drawn as without it (`fallback_random`), so dropout masks and latents are the same ones. On CUDA the compiler captures the step
in a CUDA graph of its own.

Whether it pays depends on network and machine, so that `auto` measures. The compiler rounds in its own way, as another number of threads
does, and no run key knows of it: in float64 the weights after eight updates are within 1e-9 (tests/training/test_compiling.py). That is so
on CPUs. What a compiler makes for another device is held against the network itself before a run is trained with it.
"""

import copy
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixelbench.errors import first_line
from pixelbench.models.base import AutoregressiveModel

Loss = Callable[..., Tensor]
#: Gives the loss of a model to measure, `model.loss` or the compiled one, under the precision of the training.
Forward = Callable[[Loss], Tensor]

#: How long eager and compiled steps are measured by turns, and how many of each at least.
_SECONDS, _LEAST = 2.0, 3
#: A share of a step that no compiler saves in such networks (a third is the most that was seen), and the least that a compilation takes:
#: where not even these pay, nothing is tried.
_MOST_GAIN, _LEAST_COMPILATION = 0.5, 10.0
#: Less than this share of a step is noise.
_LEAST_GAIN = 0.05
#: Rounding changes a loss and its gradients by less than this share of them: TF32 and sums in another order by some thousandths of the
#: gradients, bf16 by some hundredths.
_OF_LOSS, _OF_GRADIENTS = 0.005, 0.02
_OF_LOSS_BF16, _OF_GRADIENTS_BF16 = 0.05, 0.2
#: A gradient smaller than this share of all is measured against so much: its own size may be what rounding has left of zero.
_SMALL = 0.01
#: So many updates are compared, since a number that changes with them is compiled in at first and no longer once it has changed. The last
#: is repeated: a CUDA graph is warmed up in its first call, captured in the second and replayed in the third.
_UPDATES, _CALLS = 3, 5


def compiled_loss(model: AutoregressiveModel, backend: str = "inductor") -> Loss:
    """`model.loss`, compiled at its first call, and again for each of its modes that it is called in."""
    options: dict[str, Any] = {"fallback_random": True}
    if model.device.type == "cuda":
        options["triton.cudagraphs"] = True
    loss = torch.compile(model.loss, backend=backend, options=options if backend == "inductor" else None)
    # What changes from update to update, a weight of the KL term or the number of a mask, is a number of the module, and not to be
    # compiled in.
    return torch._dynamo.config.patch(allow_unspec_int_on_nn_module=True)(loss)


class MiscompiledError(Exception):
    """The compiled loss is not the network's; the text says by what, without a final stop."""


def check_compiled(model: AutoregressiveModel, loss: Loss, batch: tuple[Tensor, ...], update: int, *, autocast: bool = False) -> None:
    """Hold a compiled loss and its gradients against the network's own: of one batch, with the same random numbers, as of `update` and the
    two updates after it.

    A gradient of less than a hundredth of all is measured against a hundredth of all. The model has no gradients afterwards; else it and
    the random state are as they were.

    Raises:
        MiscompiledError: they differ by more than rounding can.
    """
    try:
        for call in range(_CALLS):
            model.begin_update(update + min(call, _UPDATES - 1))
            eager, compiled = (_gradients(model, each, batch, autocast) for each in (model.loss, loss))
            if difference := _difference(eager, compiled, autocast):
                raise MiscompiledError(difference)
    finally:
        model.zero_grad(set_to_none=True)


def _gradients(model: AutoregressiveModel, loss: Loss, batch: tuple[Tensor, ...], autocast: bool) -> tuple[float, dict[str, Tensor]]:
    """The loss and, by the weights' names, its gradients; running statistics stay as they are."""
    kind, buffers = model.device.type, [buffer.clone() for buffer in model.buffers()]
    model.train().zero_grad(set_to_none=True)
    with torch.random.fork_rng([model.device] if kind == "cuda" else []):
        with torch.autocast(kind, torch.bfloat16, enabled=autocast):
            found = loss(*batch)
        found.backward()
    with torch.no_grad():
        for buffer, before in zip(model.buffers(), buffers, strict=True):
            buffer.copy_(before)
    weights = dict(model.named_parameters())
    return float(found.detach()), {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad for name, weight in weights.items()
    }


def _difference(eager: tuple[float, dict[str, Tensor]], compiled: tuple[float, dict[str, Tensor]], autocast: bool) -> str | None:
    """What differs by more than rounding; of a training that has diverged nothing can be held against anything."""
    (loss, gradients), (other_loss, others) = eager, compiled
    of_loss, of_gradients = (_OF_LOSS_BF16, _OF_GRADIENTS_BF16) if autocast else (_OF_LOSS, _OF_GRADIENTS)
    whole = math.hypot(*(float(gradient.norm()) for gradient in gradients.values()))
    if not math.isfinite(loss + whole):
        return None
    if not abs(other_loss - loss) <= of_loss * abs(loss):
        return f"its loss of the first batch is {other_loss:.4g} and the network's {loss:.4g}"
    for name, gradient in gradients.items():
        change, size = float((others[name] - gradient).norm()), max(float(gradient.norm()), _SMALL * whole)
        if not change <= of_gradients * size:
            share = f"by {change / size:.0%}" if size else "which is zero"
            return f"its gradient of {name} differs from the network's, {share}"
    return None


@dataclass(frozen=True)
class Measured:
    """Whether compiling pays for a training, and why, in a sentence without a final stop."""

    pays: bool
    said: str


def measure_compiled(
    model: AutoregressiveModel,
    batch: tuple[Tensor, ...],
    updates: int,
    *,
    autocast: bool = False,
    compile_loss: Callable[[AutoregressiveModel], Loss] = compiled_loss,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Compare eager and compiled steps of a copy by turns, for two seconds after the compilation. The model and the random state stay as
    they are.

    Args:
        model: in training, before its first update.
        batch: what its loss takes.
        updates: how many are to come; what compiling costs is set against what all of them save.
        autocast: the training is in bf16.
        compile_loss, clock: for tests.
    """
    trial = copy.deepcopy(model).train()
    devices = [model.device] if model.device.type == "cuda" else []

    def seconds(loss: Loss) -> float:
        began = clock()
        with torch.autocast(model.device.type, torch.bfloat16, enabled=autocast):
            found = loss(*batch)
        found.backward()
        trial.zero_grad(set_to_none=True)
        if devices:
            torch.cuda.synchronize(model.device)
        return clock() - began

    with torch.random.fork_rng(devices):
        seconds(trial.loss)
        eager = [seconds(trial.loss)]
        if _MOST_GAIN * updates * eager[0] < _LEAST_COMPILATION:
            return Measured(False, f"{updates:,} updates take about {updates * eager[0]:.0f} s, too short for a compilation")
        loss = compile_loss(trial)
        try:
            compilation = seconds(loss)
        except Exception as error:  # whatever a compiler says to a network, it can be trained as it is
            return Measured(False, f"the compilation failed ({type(error).__name__}: {first_line(error)[:200]})")
        compiled, began = [seconds(loss)], clock()
        while len(compiled) < _LEAST or clock() - began < _SECONDS:
            eager.append(seconds(trial.loss))
            compiled.append(seconds(loss))
    before, after = statistics.median(eager), statistics.median(compiled)
    said = f"a step took {1000 * before:.1f} ms as it is and {1000 * after:.1f} ms compiled, and the compilation {compilation:.0f} s"
    saved = updates * (before - after)
    return Measured(before - after > _LEAST_GAIN * before and saved > compilation, said)
