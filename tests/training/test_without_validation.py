"""A training that holds nothing out: the curve has no validation, and all else is as with it."""

import torch

from pixelbench.models.families import create_model
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.seeding import seed_everything

IMAGES = torch.randint(4, (40, 1, 4, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def trained(validation: int) -> Trainer:
    seed_everything(0, "weights")
    model = create_model("gated-pixelcnn", channels=1, height=4, width=3, levels=4, maps=8, layers=1, head_maps=8)
    run = Trainer(model, IMAGES, IMAGES[:validation], Recipe(precision="fp32", batch=8), TrainingPlan(12, 0))
    list(run.run())
    return run


def test_the_curve_has_no_validation_and_the_weights_are_the_same():
    without, with_some = trained(0), trained(5)
    assert without.status == with_some.status == "done"
    assert [point.validation_bits_per_dim for point in without.curve] == [None] * len(without.curve)
    assert with_some.curve[-1].validation_bits_per_dim is not None
    assert [p.train_bits_per_dim for p in without.curve] == [p.train_bits_per_dim for p in with_some.curve]
    for mine, its in zip(without.model.parameters(), with_some.model.parameters(), strict=True):
        assert torch.equal(mine, its)


def test_it_goes_on_from_its_checkpoint():
    whole, cut = trained(0), trained(0)
    cut.restore(whole.state())
    assert (cut.update, cut.curve) == (12, whole.curve)
