"""Images drawn some at a time are those drawn all at once, and the generator ends in the same state."""

from typing import Any

import pytest
import torch

from pixelbench.evaluation.sample_batches import affordable_images, bytes_an_image, sample_in_batches
from pixelbench.models.families import create_model

CASES: dict[str, dict[str, Any]] = {
    "gated-pixelcnn": {"layers": 1, "maps": 6, "head_maps": 6, "condition": "class", "classes": 3},
    "made": {"hidden": 20, "masks": 2},
    "pixelvae": {"layers": 1, "maps": 6, "head_maps": 6, "latent": 3, "encoder_maps": 4},
    "pixelcnn-plain": {"layers": 1, "maps": 6},
}


def model_of(family: str) -> Any:
    torch.manual_seed(0)
    height, width = (9, 8) if family == "pixelvae" else (4, 3)
    return create_model(family, channels=1, height=height, width=width, levels=2, **CASES[family]).double().eval()


def fresh() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("family", CASES)
@pytest.mark.parametrize("most", [1, 3])
def test_parts_are_the_whole(family: str, most: int):
    model, one, other = model_of(family), fresh(), fresh()
    condition = torch.arange(7) % 3 if model.conditional else None
    whole = sample_in_batches(model, 7, None, generator=one, condition=condition)
    assert torch.equal(whole, sample_in_batches(model, 7, most, generator=other, condition=condition))
    assert torch.equal(one.get_state(), other.get_state())


def test_what_is_held_is_held_in_parts_too():
    model = model_of("pixelcnn-plain")
    given = torch.randint(2, (5, 1, 4, 3), dtype=torch.uint8)
    known = torch.zeros(1, 4, 3, dtype=torch.bool)
    known[:, :2] = True
    whole, parts = (sample_in_batches(model, 5, most, generator=fresh(), given=given, known=known) for most in (None, 2))
    assert torch.equal(whole, parts)
    assert torch.equal(parts[:, :, :2], given[:, :, :2])


def test_parts_drawn_one_after_another_would_be_other_images():
    """The negative control: latents come before the uniform numbers of a part."""
    model, chance = model_of("pixelvae"), fresh()
    parts = torch.cat([model.sample(count, generator=chance) for count in (3, 3, 1)])
    assert not torch.equal(parts, sample_in_batches(model, 7, None, generator=fresh()))


def test_as_many_as_fit_are_a_power_of_two_and_wide_networks_fit_less(monkeypatch: pytest.MonkeyPatch):
    narrow = model_of("pixelcnn-plain")
    wide = create_model("pixelcnn-plain", channels=1, height=4, width=3, levels=2, layers=1, maps=60)
    assert bytes_an_image(wide) > 3 * bytes_an_image(narrow)
    state = torch.get_rng_state()
    counts = []
    for free in (1, 1 << 16, 1 << 20, 1 << 24):
        monkeypatch.setattr("pixelbench.evaluation.sample_batches.available_memory", lambda free=free: free)
        counts.append(affordable_images(narrow))
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert all(count & (count - 1) == 0 for count in counts)
    assert counts[3] >= 8 * counts[2]
    assert torch.equal(state, torch.get_rng_state())
