"""What a family's kind promises of its network, and the sentence where a network does not keep it."""

import pytest
import torch

from pixelbench.data import Split, TaskData
from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.models.base import AutoregressiveModel, Fitted, LatentVariable
from pixelbench.models.families import FAMILIES, create_model
from pixelbench.suites.load import load_suite
from pixelbench.suites.specs import specs_of

pytestmark = pytest.mark.quick

TINY = {"channels": 1, "height": 8, "width": 8, "levels": 2}
IMAGES = torch.zeros(2, 1, 8, 8, dtype=torch.uint8).numpy()
SPLIT = Split(IMAGES, torch.arange(2).numpy())
DATA = TaskData(SPLIT, SPLIT, SPLIT)


def model_of(name: str) -> AutoregressiveModel:
    return create_model(name, **TINY)


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.kind != "codec"])
def test_our_families_are_what_they_say(name: str) -> None:
    model, family = model_of(name), FAMILIES[name]
    assert isinstance(model, Fitted) == (family.kind == "fitted")
    assert isinstance(model, LatentVariable) == family.latent == model.latent


def test_a_fitted_family_needs_fit() -> None:
    (spec,) = specs_of(load_suite("quick"), only=["digits/histogram"], seeds=[0])
    stages.fit(model_of("histogram"), DATA, spec, redrawn=False)
    with pytest.raises(UserError, match=r"PixelCNN has no fit\(images\), which a family of the kind 'fitted' needs\."):
        stages.fit(model_of("pixelcnn"), DATA, spec, redrawn=False)


def test_a_network_with_latents_needs_their_statistics() -> None:
    model = model_of("pixelcnn")
    assert stages.latent_use(model, DATA) is None
    model.latent = True
    with pytest.raises(UserError, match=r"PixelCNN has no latent_statistics\(images\), which a network with latent = True needs\."):
        stages.latent_use(model, DATA)
    assert stages.latent_use(model_of("pixelvae"), DATA) is not None
