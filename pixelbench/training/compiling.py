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
#: Gradients that differ by more than this share of their size are no rounding. TF32 and sums in another order change a thousandth, bf16
#: some hundredths.
_ROUNDING, _ROUNDING_OF_BF16 = 0.02, 0.2
#: A gradient smaller than this share of all is measured against so much: its own size may be what rounding has left of zero.
_SMALL = 0.01
#: A CUDA graph is warmed up in the first call, captured in the second and replayed in the third.
_CALLS = 3


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


def check_compiled(model: AutoregressiveModel, loss: Loss, batch: tuple[Tensor, ...], *, autocast: bool = False) -> None:
    """Hold a compiled loss and its gradients against the network's own, of one batch and the same random numbers.

    The model loses its gradients, else it and the random state stay as they are.

    Raises:
        MiscompiledError: they differ by more than rounding can.
    """
    most = _ROUNDING_OF_BF16 if autocast else _ROUNDING
    eager = _gradients(model, model.loss, batch, autocast)
    if not eager[0].isfinite():  # of a training that has diverged nothing can be held against anything
        return
    *_, compiled = (_gradients(model, loss, batch, autocast) for _ in range(_CALLS))
    whole = math.hypot(*(float(gradient.norm()) for gradient in eager[1].values()))
    if not abs(float(eager[0] - compiled[0])) <= most * abs(float(eager[0])):
        raise MiscompiledError(f"its loss of the first batch is {float(compiled[0]):.4g} and the network's {float(eager[0]):.4g}")
    for name, gradient in eager[1].items():
        other = compiled[1].get(name, torch.zeros_like(gradient))
        change, size = float((other - gradient).norm()), max(float(gradient.norm()), _SMALL * whole)
        if not change <= most * size:
            share = f"by {change / size:.0%}" if size else "which is zero"
            raise MiscompiledError(f"its gradient of {name} differs from the network's, {share}")


def _gradients(model: AutoregressiveModel, loss: Loss, batch: tuple[Tensor, ...], autocast: bool) -> tuple[Tensor, dict[str, Tensor]]:
    kind = model.device.type
    model.train().zero_grad(set_to_none=True)
    with torch.random.fork_rng([model.device] if kind == "cuda" else []):
        with torch.autocast(kind, torch.bfloat16, enabled=autocast):
            found = loss(*batch)
        found.backward()
    gradients = {name: weight.grad.double() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad(set_to_none=True)
    return found.detach().double(), gradients


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
