"""What the loop offers to families: conditions, a first batch to prepare from, the number of the update, draws for a bound."""

from typing import Any

import torch
from torch import Tensor

from pixelbench.models.families import create_model
from pixelbench.models.families.gated_pixelcnn import GatedPixelCNN
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.seeding import BatchOrder, seed_everything

#: An image is one value everywhere, its class.
LABELS = torch.arange(400) % 4
IMAGES = LABELS.to(torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2).contiguous()
SETTINGS: dict[str, Any] = {"maps": 8, "layers": 1, "head_maps": 8}
CONDITIONAL = SETTINGS | {"condition": "class", "classes": 4}


class Attentive(GatedPixelCNN):
    """Writes down what the loop tells it."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.told: list[Any] = []

    def prepare(self, images: Tensor, condition: Tensor | None = None) -> None:
        torch.rand(3)
        self.told.append((images, condition))
        with torch.no_grad():
            next(self.parameters()).fill_(0.25)

    def begin_update(self, update: int) -> None:
        self.told.append(update)


class Vague(GatedPixelCNN):
    """Pretends to have a bound, which depends on the draws."""

    latent = True

    def log_prob(self, images: Tensor, condition: Tensor | None = None, *, generator: Any = None, importance_samples: int = 0) -> Tensor:
        assert importance_samples == 1
        return super().log_prob(images) - torch.rand(len(images), generator=generator)


def model_of(kind: type[GatedPixelCNN], settings: dict[str, Any]) -> Any:
    seed_everything(0, "weights")
    model = create_model("gated-pixelcnn", channels=1, height=2, width=2, levels=4, **settings)
    return model if kind is GatedPixelCNN else kind(1, 2, 2, 4, model.settings)


def trainer(kind: type[GatedPixelCNN], settings: dict[str, Any], updates: int = 3, **recipe: Any) -> Trainer:
    conditions = (LABELS[:300], LABELS[300:]) if "condition" in settings else None
    recipe = {"precision": "fp32", "batch": 16, "learning_rate": 1e-2} | recipe
    return Trainer(model_of(kind, settings), IMAGES[:300], IMAGES[300:], Recipe(**recipe), TrainingPlan(updates, 0), conditions=conditions)


def test_a_class_that_says_all_leaves_nothing_to_pay_for():
    informed, plain = (list(trainer(GatedPixelCNN, settings, 150).run())[-1] for settings in (CONDITIONAL, SETTINGS))
    assert informed.validation_bits_per_dim is not None
    assert informed.validation_bits_per_dim < 0.25
    assert plain.validation_bits_per_dim is not None
    assert plain.validation_bits_per_dim > 0.45  # 2 bits of 4 sub-pixels


def test_the_model_is_prepared_from_the_first_batch_before_it_is_averaged():
    run = trainer(Attentive, CONDITIONAL, ema=0.5)
    told: list[Any] = run.model.told  # type: ignore[assignment]
    ((images, condition),) = told
    first = BatchOrder(300, 16, 0).indices(0)
    assert torch.equal(images, IMAGES[first])
    assert torch.equal(condition, LABELS[first])
    assert (next(run.evaluated.parameters()) == 0.25).all()
    list(run.run())
    assert told[1:] == [0, 1, 2]


def test_restored_weights_win_over_prepared_ones():
    run = trainer(Attentive, SETTINGS)
    list(run.run())
    again = trainer(Attentive, SETTINGS)
    again.restore(run.state())
    assert torch.equal(next(again.model.parameters()), next(run.model.parameters()))


def test_preparing_does_not_disturb_the_random_numbers_of_training():
    states = []
    for kind in (GatedPixelCNN, Attentive):
        trainer(kind, SETTINGS)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_a_bound_is_validated_with_draws_of_its_own():
    run, exact = trainer(Vague, SETTINGS, learning_rate=1e-30), trainer(GatedPixelCNN, SETTINGS, learning_rate=1e-30)
    for each in (run, exact):
        list(each.run())
    bounds, likelihoods = ([point.validation_bits_per_dim or 0 for point in each.curve] for each in (run, exact))
    assert bounds[0] == bounds[1] == bounds[2]
    assert bounds[0] > likelihoods[0]
