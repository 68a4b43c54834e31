"""Dynamic binarisation: each use of a grey image draws its own pixels, and a resumed training draws the same."""

import torch

from pixelbench.models.families import create_model
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.redraw import redraw
from pixelbench.training.seeding import seed_everything

GREYS = torch.randint(256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_a_pixel_is_one_as_often_as_it_is_bright():
    greys = torch.tensor([0, 51, 128, 255], dtype=torch.uint8).reshape(4, 1, 1, 1).expand(4, 1, 100, 100)
    drawn = redraw(greys, torch.Generator().manual_seed(1))
    assert drawn.dtype == torch.uint8
    assert drawn.unique().tolist() == [0, 1]
    means = drawn.float().mean((1, 2, 3))
    assert means[0] == 0
    assert means[3] == 1  # white is never drawn black
    torch.testing.assert_close(means[1:3], torch.tensor([0.2, 128 / 255]), atol=4 * 0.5 / 100, rtol=0)


def trainer(**arguments) -> Trainer:
    seed_everything(3, "weights")
    model = create_model("gated-pixelcnn", channels=1, height=8, width=8, levels=2, maps=4, layers=1, head_maps=4)
    return Trainer(model, GREYS, (GREYS > 127).to(torch.uint8), Recipe(batch=40), TrainingPlan(9, 3), redrawn=True, **arguments)


def test_every_update_draws_its_own_pixels_and_only_zeros_and_ones():
    one, again = trainer(), trainer()
    (first,), (second,) = one._batch(0), one._batch(1)
    assert first.unique().tolist() == [0, 1]
    order = one.order.indices(0).argsort(), one.order.indices(1).argsort()  # a batch holds every image once
    assert not torch.equal(first[order[0]], second[order[1]])
    assert torch.equal(first, again._batch(0)[0])


def test_resume_equals_uninterrupted():
    whole = trainer()
    curve = list(whole.run())
    blobs: list[bytes] = []
    calls = iter(range(100))
    list(trainer(save=blobs.append, stop=lambda: next(calls) >= 4).run())
    torch.manual_seed(999)
    resumed = trainer()
    resumed.restore(blobs[-1])
    list(resumed.run())
    assert resumed.curve == curve
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
