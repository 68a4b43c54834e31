"""A stored run's model: the very one that was scored, or a sentence."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from test_execute import spec_of

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.experiments.execute import execute
from pixelbench.experiments.stored import load_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stored")
    assert execute(spec_of("digits/gated-pixelcnn"), path) == "done"
    return path


def test_it_scores_the_test_images_as_the_record_says(folder: Path):
    images = torch.from_numpy(get_task("digits").load().test.images[:16])
    with torch.inference_mode():
        nats = -load_run(folder).log_prob(images).numpy()
    np.testing.assert_allclose(nats, np.load(folder / "nats.npz")["nats"], rtol=1e-5)


def test_a_histogram_is_a_model_too(tmp_path: Path):
    execute(spec_of("digits/histogram"), tmp_path)
    assert load_run(tmp_path).sample(2).shape == (2, 1, 8, 8)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda weights: weights.unlink(), "are not in this results folder"),
        (lambda weights: weights.write_bytes(weights.read_bytes()[:-8]), "cannot be used (not a PixelBench checkpoint"),
    ],
)
def test_missing_and_damaged_weights_are_said(folder: Path, tmp_path: Path, harm, sentence: str):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    harm(copy / "work" / "weights.safetensors")
    with pytest.raises(UserError) as caught:
        load_run(copy)
    assert sentence in str(caught.value)


def test_a_codec_has_no_model(tmp_path: Path):
    execute(spec_of("digits/png"), tmp_path)
    with pytest.raises(UserError, match="no model to draw from"):
        load_run(tmp_path)
