"""Creating models by name: defaults, settings, sentences for errors."""

import subprocess
import sys

import pytest
import torch

import pixelbench as pb
from pixelbench.errors import UserError
from pixelbench.models.base import count_parameters
from pixelbench.models.layers.causal import CausalConv2d, colours


def test_the_public_name_makes_a_model_that_scores_and_samples():
    model = pb.create_model("gated-pixelcnn", channels=3, height=4, width=5, levels=8, maps=6, layers=1)
    images = model.sample(2, generator=torch.Generator().manual_seed(0))
    assert images.dtype == torch.uint8
    assert tuple(images.shape) == (2, 3, 4, 5)
    assert model.log_prob(images).dtype == torch.float64
    nats = -model.log_prob(images).detach().mean().item()
    assert pb.bits_per_dim(nats, model.shape) == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize(
    ("family", "settings", "sentence"),
    [
        ("gated-pixelcn", {}, "Unknown model 'gated-pixelcn'. Did you mean 'gated-pixelcnn'?"),
        ("pixelcnn", {"mapps": 3}, "Did you mean 'maps'?"),
        ("pixelcnn", {"kernel": 4}, "kernel must be odd and at least 3, got 4"),
        ("pixelcnn", {"maps": "many"}, "maps: Input should be a valid integer"),
        ("uniform", {"maps": 3}, "uniform has no settings; got 'maps'"),
        ("png", {}, "not a module"),
        ("pixelcnn", {"levels": 65_537}, "2 to 65,536 levels"),
    ],
)
def test_errors_get_one_sentence(family: str, settings: dict, sentence: str):
    with pytest.raises(UserError) as caught:
        pb.create_model(family, **{"channels": 1, "height": 2, "width": 2, "levels": 2, **settings})
    assert sentence in str(caught.value)


def test_images_of_another_shape_are_refused():
    model = pb.create_model("pixelcnn", channels=1, height=3, width=4, levels=4, maps=4, layers=0)
    with pytest.raises(ValueError, match=r"expected integer images \(B, 1, 3, 4\), got torch\.int64 \(2, 1, 4, 3\)"):
        model.log_prob(torch.zeros(2, 1, 4, 3, dtype=torch.long))
    with pytest.raises(ValueError, match=r"got torch\.float32"):
        model.log_prob(torch.zeros(2, 1, 3, 4))


def test_rows_below_are_not_stored():
    layer = CausalConv2d(colours(3, 3), colours(6, 3), 7, above=True, itself=False, conditioning=True)
    assert tuple(layer.weight.shape) == (6, 3, 4, 7)
    assert count_parameters(layer) == 6 * 3 * 4 * 7 + 6


def test_masks_never_touch_the_weights():
    model = pb.create_model("pixelcnn", channels=1, height=3, width=3, levels=4, maps=4, layers=1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.loss(torch.zeros(2, 1, 3, 3, dtype=torch.uint8)).backward()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (model.first.weight.grad[model.first.mask == 0] == 0).all()


def test_importing_pixelbench_does_not_import_torch():
    code = "import sys, pixelbench, pixelbench.models.families, pixelbench.training.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
