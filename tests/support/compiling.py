"""Around tests that compile: a compiler as new, and its warnings about itself."""

import contextlib
import warnings
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def fresh_compiler() -> Iterator[None]:
    """Nothing is compiled yet; what the compiler says of itself and of the device is no error.

    It uses parts of torch that torch calls old, on CUDA it begins with an empty graph, and it would have TF32 where scores must not.
    """
    with warnings.catch_warnings(action="ignore"):
        torch._dynamo.reset()
        yield
