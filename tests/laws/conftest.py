"""Every law runs for each causal family in grey and in colour."""

import pytest

from pixelbench.models.base import AutoregressiveModel
from tests.laws.families import BINARY, CAUSAL, SHAPES, cases, tiny


@pytest.fixture(params=cases([*CAUSAL, *BINARY]))
def variant(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=SHAPES)
def model(variant: str, request: pytest.FixtureRequest) -> AutoregressiveModel:
    return tiny(variant, SHAPES[request.param])
