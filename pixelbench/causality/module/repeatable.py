"""The module under test as a repeatable function in float64, and the module itself left alone."""

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pixelbench.causality.interface.adapter import ModuleAdapter, find_adapter
from pixelbench.causality.interface.heads import LogisticMixture, parse_head
from pixelbench.causality.interface.parts import selected
from pixelbench.causality.interface.readings import other_readings
from pixelbench.causality.module.closures import Called
from pixelbench.causality.module.float64_copy import deep_copy, device_of, float64_copy
from pixelbench.causality.module.lazy_layers import called_once
from pixelbench.causality.module.refusals import likely_cause, quantised_parts, scored_only
from pixelbench.causality.module.sandbox import float64, random_states, without_gradients
from pixelbench.causality.module.state import State, parts_of, set_mode
from pixelbench.causality.module.tracing import Trace
from pixelbench.causality.options import Options
from pixelbench.errors import UserError, first_line

#: Far above the rounding of single precision, and far below what changes a network.
_JITTER = 1e-4
#: As large as what one step of training may put in the place of zeros.
_FILLED = 0.1
CALLED_BY_CONTRACT = "It was called through its method conditionals(images), which takes integers and gives (B, K, C, H, W)."


class Subject:
    """A deep copy of a module in float64: integer images in, (B, K, C, H, W) out.

    Every call starts from the same parameters, buffers, attributes and random states, so that dropout, running statistics, counters and
    caches are the same in each. `conditionals(images)` is called where the module has one, otherwise the module itself.

    Attributes:
        name: the class of the module.
        draws: the module has drawn random numbers in some call, so that a place in the batch has noise of its own.
        adapter: how images enter the module and how its output is read.
        state: what calls start from when they are given no other.
    """

    def __init__(self, module: Any, shape: tuple[int, int, int], given: Options) -> None:
        self.name = type(module).__name__ if isinstance(module, nn.Module) else getattr(module, "__name__", "the function")
        self.shape, self.levels = shape, given.levels
        self.draws = False
        self._process, self._differentiates = os.getpid(), False
        module = module if isinstance(module, nn.Module) else Called(module)
        module = called_once(module, shape, given)
        self._module = float64_copy(module)
        self._mode, self._seed = given.mode, given.seed
        self._device = device_of(module)
        self._call: Any = self._module
        input, output = given.input, given.output
        self._input_given, self._output_given = given.input_layout is not None, output is not None
        self._contract = _has_conditionals(self._module)
        if self._contract:  # our own contract: integers in, (B, K, C, H, W) out
            self._call = self._module.conditionals
            input, output = "int" if input == "auto" else input, output or "b k c h w"
        self._further = dict(given.args or {})
        self._head = parse_head(given.head)
        self.save()
        options: Any = {"input": input, "output": output, "select": given.select, "input_layout": given.input_layout}
        options["shared"] = isinstance(self._head, LogisticMixture)
        try:
            self.adapter = find_adapter(self._raw, shape, given.levels, **options, device=self._device, dtype=torch.float64)
        except UserError as error:
            raise self._explained(error, module) from error.__cause__
        self._keep_new_parts()

    def __call__(self, images: np.ndarray, state: State | None = None) -> Tensor:
        """Images (B, C, H, W), any integer dtype → outputs (B, K, C, H, W) in float64, from `state`, or from the one all calls start from.

        Raises:
            UserError: the module fails, or returns something else.
        """
        (state or self.state).restore()
        return self.next(images)

    def next(self, images: np.ndarray) -> Tensor:
        """The same, from where the call before left off: only the random states are as in each."""
        batch = self._batch(images)
        try:
            raw = self._raw(batch, restored=True)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failure(error, len(images)) from error
        return self._arranged(raw, images)

    def with_gradients(self, images: np.ndarray) -> tuple[Tensor, list[nn.Parameter]]:
        """Outputs that know their gradients, and the parameters they may have come from; the module is in training meanwhile.

        Raises:
            UserError: the module fails.
        """
        self.state.restore()
        set_mode(self._module, "train")
        try:
            with random_states(self._device, self._seed), float64(), torch.enable_grad():
                output = self.adapter.arrange(self._called(self._batch(images)), len(images))
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failure(error, len(images)) from error
        parameters = {id(one): one for part in parts_of(self._module) for one in part.parameters(recurse=False) if one.requires_grad}
        return output, list(parameters.values())

    @property
    def shared(self) -> bool:
        """One output serves all colours of a pixel, and no head tells them apart."""
        return self.adapter.shared and self._head is None

    def other_readings(self) -> list[ModuleAdapter]:
        """Other layouts of what enters and of the output that fit, and under which a call means something else."""
        if self._contract:
            return []
        image = torch.zeros((1, *self.shape), dtype=torch.int64, device=self._device)
        return list(other_readings(self._raw, self.adapter, image, input_given=self._input_given, output_given=self._output_given))

    def read_as(self, images: np.ndarray, reading: ModuleAdapter) -> Tensor:
        """A call through another adapter, (B, K, C, H, W)."""
        batch = torch.from_numpy(images.astype(np.int64, order="C")).to(self._device)
        return self._arranged(self._raw(reading.encode(batch)), images, reading)

    def traced(self, images: np.ndarray) -> tuple[float, bool]:
        """The coarsest rounding below double precision in a call (0.0: none), and whether the output is computed from the images.

        A module that cannot be watched is taken for one without either doubt: in double precision, and computed from them.
        """
        self.state.restore()
        batch = self._batch(images)
        trace = Trace(batch)
        try:
            with torch.no_grad(), random_states(self._device, self._seed), trace.watching_exits(), float64(), trace:
                output = self._called(batch)
        except (Exception, SystemExit):  # a custom operation, for instance
            return 0.0, True
        return trace.rounding, trace.reaches(selected(output, self.adapter.select))

    def jittered(self, images: np.ndarray, seed: int | None) -> Tensor:
        """A call under weights, arrays and, where floats enter, images that differ by a part in ten thousand; None: that do not."""
        self.state.restore()
        if seed is None:
            return self.next(images)
        generator = np.random.default_rng(seed)
        with torch.no_grad():
            for part in parts_of(self._module):
                _jitter(part, generator)
        batch = self._batch(images)
        # Upwards, from -1 on: a module that makes indices of what enters mostly cuts off what is behind the point.
        nudge = torch.from_numpy(_JITTER * np.abs(generator.standard_normal(batch.shape[1:]))).to(self._device)
        for nudged in (batch + nudge * (1 + batch), batch):  # floats first, where integers are only what fitted best
            try:
                return self._arranged(self._raw(nudged, restored=True), images)
            except (Exception, SystemExit):
                continue
        return self.next(images)

    def zeros(self) -> list[str]:
        """Names of the trainable parameters whose every number is exactly zero."""
        self.state.restore()
        named = self._named_parameters()
        return [name for name, one in named.items() if one.requires_grad and one.numel() and not bool(one.any())]

    def filled(self, names: list[str]) -> State:
        """What calls may start from instead: these parameters hold small random numbers."""
        self.state.restore()
        generator = torch.Generator().manual_seed(self._seed)
        parameters = self._named_parameters()
        with torch.no_grad():
            for name in names:
                parameters[name].copy_(_FILLED * torch.randn(parameters[name].shape, generator=generator))
        return self.now()

    def _named_parameters(self) -> dict[str, nn.Parameter]:
        """All of them: those of parts that only a list or a function holds are named by the part's class."""
        named = dict(self._module.named_parameters())
        known = {id(one) for one in named.values()}
        for number, part in enumerate(parts_of(self._module)):
            for name, one in part.named_parameters(recurse=False):
                if id(one) not in known:
                    named[f"{type(part).__name__} {number}.{name}"] = one
        return named

    def _keep_new_parts(self) -> None:
        """What the first call builds stays: otherwise every call would build it again, out of random numbers."""
        self.state.restore()
        before = sum(1 for _ in self._module.parameters())
        self(np.zeros((1, *self.shape), dtype=np.int64))
        if sum(1 for _ in self._module.parameters()) > before:
            self.save()
            self.draws = False

    def save(self) -> State:
        """Take what the module is now for what all calls start from, in the mode asked for."""
        set_mode(self._module, self._mode)
        self.state = self.now()
        return self.state

    def now(self) -> State:
        """A snapshot of the module now."""
        return State(self._module)

    def _arranged(self, raw: Any, images: np.ndarray, adapter: ModuleAdapter | None = None) -> Tensor:
        """(B, K, C, H, W) of its own: what a module returns may have gradients, or lie in a weight or buffer that later calls write."""
        output = (adapter or self.adapter).arrange(raw, len(images)).detach().to(torch.float64, copy=True)
        if self._head is None:
            return output
        with torch.no_grad():  # a head of the user's may have weights
            return self._head(output, torch.from_numpy(images.astype(np.int64)).to(output.device), self.levels)

    def _batch(self, images: np.ndarray) -> Tensor:
        # In C order: random layers draw in the order of memory, so another layout would be another mask.
        batch = torch.from_numpy(images.astype(np.int64, order="C")).to(self._device)
        return self.adapter.encode(batch)

    def _raw(self, batch: Tensor, *, restored: bool = False) -> Any:
        if not restored:
            self.state.restore()
        with random_states(self._device, self._seed) as drawn, float64():
            output, self._differentiates = without_gradients(self._called, batch, inside=self._differentiates)
            self.draws = self.draws or drawn()
        if os.getpid() != self._process:
            raise UserError(f"{self.name} forks while it is called, and comes back in two processes; this is the second.")
        return output

    def _called(self, batch: Tensor) -> Any:
        if not self._further:
            return self._call(batch)
        whole = {name: value == int(value) for name, value in self._further.items()}
        kinds = {name: torch.int64 if whole[name] else torch.float64 for name in whole}
        further = {name: torch.full((len(batch),), value, device=batch.device).to(kinds[name]) for name, value in self._further.items()}
        return self._call(batch, **further)

    def _explained(self, error: UserError, module: nn.Module) -> UserError:
        """The error with what was found to run instead."""
        images = torch.from_numpy(np.random.default_rng(0).integers(0, self.levels, (2, *self.shape))).to(self._device)

        def original(batch: Tensor) -> Any:
            copied: Any = deep_copy(module)[0]
            set_mode(copied, "eval")
            with torch.no_grad(), random_states(self._device, self._seed):
                return (copied.conditionals if self._contract else copied)(batch)

        cause = ""
        if error.__cause__:
            cause = scored_only(module) or likely_cause(self._raw, original, images, self.levels, error.__cause__, quantised_parts(module))
            cause = f"{CALLED_BY_CONTRACT} {cause}".rstrip() if self._contract else cause
        return UserError(f"{error} {cause}") if cause else error

    def _failure(self, error: BaseException, batch: int) -> UserError:
        entered = f"{self.adapter.input} images of shape {(batch, *self.shape)}"
        return UserError(f"{self.name} failed on {entered}: {first_line(error)}. Fix that first, then check causality.")


def _has_conditionals(module: Any) -> bool:
    """Whether it has the method of our contract: a layer, or a flag, of that name is something else."""
    found = getattr(module, "conditionals", None)
    return callable(found) and not isinstance(found, nn.Module)


def _jitter(part: nn.Module, generator: np.random.Generator) -> None:
    """In place: parameters, buffers and the floats of plain attributes, numpy's included."""
    for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False)):
        if tensor.is_floating_point() or tensor.is_complex():
            tensor.mul_(torch.as_tensor(1 + _JITTER * generator.standard_normal(tuple(tensor.shape))).to(tensor.device))
    for name, value in vars(part).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            setattr(part, name, (value * (1 + _JITTER * generator.standard_normal(value.shape))).astype(value.dtype))
