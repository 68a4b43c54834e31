"""Every law runs for each causal family in grey and in colour."""

import pytest
from families import CAUSAL, SHAPES, tiny

from pixelbench.models.base import AutoregressiveModel


@pytest.fixture(params=[(name, shape) for name in CAUSAL for shape in SHAPES], ids=lambda case: "-".join(case))
def model(request: pytest.FixtureRequest) -> AutoregressiveModel:
    name, shape = request.param
    return tiny(name, SHAPES[shape])
