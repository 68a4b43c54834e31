"""Whose code an error comes from."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pixelbench.causality.module.origin import is_foreign, origin
from pixelbench.causality.probing.raster import flat
from pixelbench.causality.report import CausalityReport


def raised(call: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as error:  # noqa: PT011 (any)
        call()
    return error.value.with_traceback(error.tb.tb_next)  # without this file's own lines


def own_code() -> None:
    raise KeyError("x")


@pytest.mark.parametrize("call", [lambda: flat(np.zeros(2)), lambda: CausalityReport.from_json({"schema": 1})], ids=["numpy", "ours"])
def test_our_own_fault(call: Callable[[], Any]) -> None:
    error = raised(call)
    error = error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)  # the lambda
    assert not is_foreign(error)


def test_the_last_line_outside_libraries() -> None:
    error = raised(lambda: own_code())
    assert is_foreign(error)
    assert origin(error).startswith(" (test_origin.py, line ")
    assert origin(raised(lambda: torch.zeros(2) @ torch.zeros(3))).startswith(" (test_origin.py, line ")


def test_a_library_where_there_is_no_other_line() -> None:
    from safetensors.numpy import load

    error = raised(lambda: load(b""))
    inner = error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)
    assert origin(inner).startswith(" (numpy.py, line ")
    assert origin(inner, installed=False) == ""
    assert is_foreign(inner)


def test_none_of_python_itself() -> None:
    error = raised(lambda: json.loads("{"))
    inner = error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)
    assert (origin(inner), is_foreign(inner)) == ("", False)
