"""Around tests that compile: a compiler as new, and its warnings about itself."""

import contextlib
import warnings
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def fresh_compiler() -> Iterator[None]:
    """Nothing is compiled yet; that the compiler uses parts of torch that torch calls old is no error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch._dynamo.reset()
        yield
