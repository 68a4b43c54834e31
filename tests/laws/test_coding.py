"""Law: the images come back from their bytes, and the bytes are -log2 of their likelihood but for what is allowed."""

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelbench.coding.images import decode, decode_labels, encode, encode_labels, first_difference
from pixelbench.coding.prediction import Method, batch_of, method_of
from pixelbench.errors import UserError
from pixelbench.models.base import AutoregressiveModel
from pixelbench.units import nats_to_bits
from tests.laws.families import CONDITIONED, LEAKY, SHAPES, random_conditions, random_images, tiny

#: Beyond the ideal, as a share of it and in bits: the end of the stream, and tables of whole numbers.
SHARE, ROOM = 0.002, 128


def back(model: AutoregressiveModel, images: Tensor, *, method: Method, batch: int, condition: Tensor | None = None) -> tuple[bool, int]:
    """Whether the images come back, and their bits."""
    how = {"method": method, "batch": batch}
    stream = encode(model, images, condition, **how)
    again = decode(model, stream.blob, len(images), condition, **how)
    return bool(np.array_equal(again, images.numpy())), 8 * len(stream.blob)


def ideal_bits(model: AutoregressiveModel, images: Tensor, condition: Tensor | None = None) -> float:
    """By the score of whole images."""
    with torch.inference_mode():
        return nats_to_bits(-float(model.log_prob(images, *(() if condition is None else (condition,))).sum()))


def test_images_come_back_from_the_bytes_of_their_likelihood(model: AutoregressiveModel) -> None:
    images = random_images(5, model.shape, model.levels)
    whole, bits = back(model, images, method="incremental", batch=3)
    assert whole
    assert bits <= ideal_bits(model, images) * (1 + SHARE) + ROOM


@pytest.mark.by_default(10)
def test_and_by_whole_forwards(model: AutoregressiveModel) -> None:
    images = random_images(3, model.shape, model.levels)
    whole, bits = back(model, images, method="naive", batch=2)
    assert whole
    assert bits <= ideal_bits(model, images) * (1 + SHARE) + ROOM


@pytest.mark.parametrize("levels", [2, 3, 256, 1000])
@pytest.mark.parametrize("name", ["gated", "gated-mixture", "pp"])
def test_other_numbers_of_levels(name: str, levels: int) -> None:
    model = tiny(name, (3, 3, 2), levels)
    images = torch.randint(levels, (4, 3, 3, 2), generator=torch.Generator().manual_seed(1), dtype=torch.int16)
    whole, bits = back(model, images, method=method_of(model), batch=4)
    assert whole
    assert bits <= ideal_bits(model, images) * (1 + SHARE) + ROOM


def test_colour_images_of_the_usual_size() -> None:
    """Twice 32x32x3 with 256 levels, where 0.2 % are a dozen bytes."""
    model = tiny("plain", (3, 32, 32), 256)
    images = random_images(2, model.shape, 256)
    whole, bits = back(model, images, method=method_of(model), batch=2)
    assert whole
    assert bits <= ideal_bits(model, images) * (1 + SHARE) + ROOM


@pytest.mark.parametrize("name", CONDITIONED)
def test_conditional_models_need_the_condition_on_both_sides(name: str) -> None:
    shape = SHAPES["grey"]
    model, images, condition = tiny(name, shape), random_images(5, shape, 4), random_conditions(name, 5, shape)
    whole, bits = back(model, images, method=method_of(model), batch=3, condition=condition)
    assert whole
    assert bits <= ideal_bits(model, images, condition) * (1 + SHARE) + ROOM
    stream = encode(model, images, condition, method="incremental", batch=5)
    other = decode(model, stream.blob, 5, condition.flip(0), method="incremental", batch=5)
    assert not np.array_equal(other, images.numpy())


@pytest.mark.parametrize("name", LEAKY)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_leaking_model_cannot_decode_by_what_it_claims_and_can_by_what_its_sampler_sees(name: str, shape: tuple[int, int, int]) -> None:
    model = tiny(name, shape)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # so that it relies on what it sees
    images = random_images(6, shape, model.levels)
    assert method_of(model) == "naive"
    claimed = encode(model, images, method="naive", batch=6, claimed=True)
    assert claimed.ideal_bits == pytest.approx(ideal_bits(model, images))
    wrong = decode(model, claimed.blob, 6, method="naive", batch=6)
    found = first_difference(model, 6, images.numpy(), wrong)
    assert found is not None
    assert found.coded != found.decoded
    assert back(model, images, method="naive", batch=6)[0]


def test_a_causal_model_decodes_by_what_it_claims() -> None:
    """The mirror image of the leak: whole images say the same of each sub-pixel as those before it, but for the last bits."""
    model = tiny("gated", SHAPES["colour"])
    images = random_images(6, model.shape, model.levels)
    claimed = encode(model, images, method="naive", batch=6, claimed=True)
    assert np.array_equal(decode(model, claimed.blob, 6, method="naive", batch=6), images.numpy())


def test_the_first_difference_is_the_first_in_the_order_of_coding() -> None:
    model = tiny("made-random", SHAPES["grey"])
    images = random_images(5, model.shape, 2).numpy()
    order = list(model.order())
    other = images.copy()
    for image, (row, column, colour) in ((1, order[9]), (4, order[0]), (0, order[3])):
        other[image, colour, row, column] ^= 1
    found = first_difference(model, 2, images, other)
    assert found is not None
    assert (found.image, (found.row, found.column, found.colour)) == (0, order[3])
    assert first_difference(model, 2, images, images) is None


def test_a_model_without_probabilities_is_refused() -> None:
    model = tiny("histogram", SHAPES["grey"])
    model.get_buffer("table")[2, 0, 1, 3] = float("nan")
    with pytest.raises(UserError, match=r"no probabilities \(NaN\) at row 1, column 3, colour 0"):
        encode(model, random_images(2, model.shape, 4), method="incremental", batch=2)


def test_a_stream_of_another_model_gives_other_images_and_no_error() -> None:
    images = random_images(20, SHAPES["grey"], 4)
    stream = encode(tiny("gated", SHAPES["grey"]), images, method="incremental", batch=20)
    other = decode(tiny("gated", SHAPES["grey"], seed=1), stream.blob, 20, method="incremental", batch=20)
    assert not np.array_equal(other, images.numpy())


def test_progress_counts_every_sub_pixel_of_every_batch() -> None:
    model, told = tiny("gated", SHAPES["colour"]), []
    encode(model, random_images(5, model.shape, 4), method="incremental", batch=2, progress=lambda *said: told.append(said))
    assert told == [(done, 3 * 60) for done in range(1, 3 * 60 + 1)]


def test_memory_is_bounded_by_the_batch() -> None:
    model = tiny("gated", (3, 32, 32), 256)
    assert batch_of(model, "naive", 100) < 100 <= batch_of(model, "incremental", 100)
    assert batch_of(model, "naive", 1) == 1


def test_labels_come_back() -> None:
    labels = np.array([0, 9, 3, 3, 7])
    blob = encode_labels(labels, 10)
    assert decode_labels(blob, 5, 10).tolist() == labels.tolist()
    assert len(blob) == 4


@pytest.mark.parametrize("blob", [b"12345", b""])
def test_bytes_that_are_no_stream_give_images_and_labels_that_a_checksum_refuses(blob: bytes) -> None:
    images = decode(tiny("gated", SHAPES["grey"]), blob, 2, method="incremental", batch=2)
    assert (images.shape, decode_labels(blob, 2, 10).shape) == ((2, *SHAPES["grey"]), (2,))
