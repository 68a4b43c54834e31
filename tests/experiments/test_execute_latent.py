"""A run whose likelihood is a bound: which bound, by how many draws, and how its latents are used."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pixelbench.data import Split, TaskData
from pixelbench.experiments.run.execute import execute
from pixelbench.experiments.stages import latent_use
from pixelbench.models.families import get_family
from pixelbench.store.record import LatentUse
from pixelbench.store.record_file import read_record
from pixelbench.store.spec import RunSpec
from tests.support.quick_run import spec_of

pytestmark = pytest.mark.usefixtures("present_code")
TINY = {"layers": 1, "maps": 4, "head_maps": 4, "first_kernel": 3, "latent": 2, "encoder_maps": 4, "kl_warmup": 3}


def bound_of(importance_samples: int) -> RunSpec:
    settings = get_family("pixelvae").parse(TINY).as_dict()
    evaluation = spec_of("digits/gated-pixelcnn").evaluation | {"importance_samples": importance_samples}
    return spec_of("digits/gated-pixelcnn", variant="pixelvae", family="pixelvae", settings=settings, evaluation=evaluation)


@pytest.mark.slow
def test_a_bound_is_scored_by_as_many_draws_as_asked_and_is_the_same_again(tmp_path: Path):
    records = []
    for folder, samples in (("a", 1), ("b", 1), ("c", 8)):
        assert execute(bound_of(samples), tmp_path / folder) == "done"
        records.append(read_record(tmp_path / folder))
    one, again, eight = (record.likelihood for record in records)
    assert one == again
    assert one is not None
    assert eight is not None
    assert (one.estimator, eight.estimator) == ("elbo", "iwae-8")
    assert eight.nats_per_image < one.nats_per_image  # the same training: a tighter bound
    assert (records[0].causality.status, records[0].causality.trained_positions) == ("complete", 16)
    assert records[0].samples is not None
    assert records[0].samples.canvas_agreement == 1.0
    use = records[0].latent
    assert use is not None
    assert (use.dimensions, len(use.kl_per_dimension), use.levels) == (2, 2, None)
    assert use.kl == pytest.approx(sum(use.kl_per_dimension))


def test_levels_of_latents_are_summed_and_kept():
    level = {"kl": 1.0, "kl_per_dimension": [0.25, 0.75], "active_units": 1, "dimensions": 2}
    both = {"z1": level, "z2": level}
    model: Any = SimpleNamespace(latent=True, device="cpu", latent_statistics=lambda images: both)
    split = Split(np.zeros((2, 1, 1, 1), np.uint8), np.arange(2))
    found = latent_use(model, TaskData(split, split, split))
    assert found == LatentUse(kl=2.0, kl_per_dimension=(0.25, 0.75) * 2, active_units=2, dimensions=4, levels=both)
