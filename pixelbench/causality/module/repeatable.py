"""The module under test as a repeatable function in float64, and the module itself left alone."""

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pixelbench.causality.module.adapter import find_adapter
from pixelbench.causality.module.float64_copy import device_of, float64_copy
from pixelbench.causality.module.sandbox import float64, random_states
from pixelbench.causality.module.state import State, parts_of
from pixelbench.errors import UserError, first_line


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

    def __init__(
        self,
        module: nn.Module,
        shape: tuple[int, int, int],
        levels: int,
        *,
        mode: str,
        seed: int,
        input: str = "auto",
        output: str | None = None,
        select: int | str | None = None,
    ) -> None:
        self.name = type(module).__name__
        self.shape, self.levels = shape, levels
        self.draws = False
        self._process = os.getpid()
        self._module = float64_copy(module)
        self._mode, self._seed = mode, seed
        self._device = device_of(module)
        self._call: Any = self._module
        if hasattr(self._module, "conditionals"):  # our own contract: integers in, (B, K, C, H, W) out
            self._call = self._module.conditionals
            input, output = "int" if input == "auto" else input, output or "b k c h w"
        self.save()
        options: Any = {"input": input, "output": output, "select": select}
        self.adapter = find_adapter(self._raw, shape, levels, **options, device=self._device, dtype=torch.float64)

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
        return self.adapter.arrange(raw, len(images)).double()

    def with_gradients(self, images: np.ndarray) -> tuple[Tensor, list[nn.Parameter]]:
        """Outputs that know their gradients, and the parameters they may have come from; the module is in training meanwhile.

        Raises:
            UserError: the module fails.
        """
        self.state.restore()
        self._set_mode("train")
        try:
            with random_states(self._device, self._seed), float64(), torch.enable_grad():
                output = self.adapter.arrange(self._call(self._batch(images)), len(images))
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failure(error, len(images)) from error
        parameters = {id(one): one for part in parts_of(self._module) for one in part.parameters(recurse=False) if one.requires_grad}
        return output, list(parameters.values())

    def save(self) -> State:
        """Take what the module is now for what all calls start from, in the mode asked for."""
        self._set_mode(self._mode)
        self.state = self.now()
        return self.state

    def now(self) -> State:
        """A snapshot of the module now."""
        return State(self._module)

    def _batch(self, images: np.ndarray) -> Tensor:
        # In C order: random layers draw in the order of memory, so another layout would be another mask.
        batch = torch.from_numpy(images.astype(np.int64, order="C")).to(self._device)
        return self.adapter.encode(batch)

    def _raw(self, batch: Tensor, *, restored: bool = False) -> Any:
        if not restored:
            self.state.restore()
        # Not inference mode: a buffer that forward makes there cannot be put back outside it.
        with torch.no_grad(), random_states(self._device, self._seed) as drawn, float64():
            output = self._call(batch)
            self.draws = self.draws or drawn()
        if os.getpid() != self._process:
            raise UserError(f"{self.name} forks while it is called, and comes back in two processes; this is the second.")
        return output

    def _set_mode(self, mode: str) -> None:
        for part in parts_of(self._module):
            part.train(mode == "train")

    def _failure(self, error: BaseException, batch: int) -> UserError:
        entered = f"{self.adapter.input} images of shape {(batch, *self.shape)}"
        return UserError(f"{self.name} failed on {entered}: {first_line(error)}. Fix that first, then check causality.")
