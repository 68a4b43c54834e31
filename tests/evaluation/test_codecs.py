"""Codecs: files that decode to the very images, and lengths that are those of the files."""

import io

import numpy as np
import pytest
from PIL import Image

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.codecs import CODECS, as_mosaic, code_length_bits
from pixelbench.units import bits_per_dim, bits_to_nats


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("task", ["digits", "photos"])
def test_decoding_gives_back_the_very_images(codec: str, task: str) -> None:
    images = get_task(task).load().test.images
    mosaic = as_mosaic(images)
    with Image.open(io.BytesIO(CODECS[codec](mosaic))) as file:
        assert file.format == codec.upper()
        decoded = np.asarray(file.convert("RGB"))[:, :, : mosaic.shape[2]]
    np.testing.assert_array_equal(_cut(decoded, images.shape), images)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("channels", "count"), [(1, 7), (3, 7), (3, 1)])
def test_noise_with_black_neighbours_survives_too(codec: str, channels: int, count: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, channels, 5, 9), np.uint8)
    images[0] = 0
    with Image.open(io.BytesIO(CODECS[codec](as_mosaic(images)))) as file:
        decoded = np.asarray(file.convert("RGB"))[:, :, :channels]
    np.testing.assert_array_equal(_cut(decoded, images.shape), images)


@pytest.mark.parametrize("codec", CODECS)
def test_length_is_that_of_the_file(codec: str) -> None:
    images = get_task("digits").load().test.images[:50]
    assert code_length_bits(images, 17, codec) == 8 * len(CODECS[codec](as_mosaic(images)))


@pytest.mark.parametrize("codec", CODECS)
def test_noise_costs_its_entropy_and_flat_images_nearly_nothing(codec: str) -> None:
    """No code beats 8 bits/dim on average on uniform bytes; a code that does has lost something."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 3, 16, 16), np.uint8)
    cost = bits_per_dim(bits_to_nats(code_length_bits(noise, 256, codec)) / 64, (3, 16, 16))
    assert 8.0 <= cost < 8.3
    flat = bits_per_dim(bits_to_nats(code_length_bits(np.zeros_like(noise), 256, codec)) / 64, (3, 16, 16))
    assert flat < 0.05


def test_webp_beats_png_beats_uniform_on_photos() -> None:
    images = get_task("photos").load().test.images
    png, webp = (code_length_bits(images, 16, codec) / images.size for codec in ("png", "webp"))
    assert 1.2 < webp < 1.6 < png < 2.1


def test_mosaic_is_nearly_square_and_in_reading_order() -> None:
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    np.testing.assert_array_equal(as_mosaic(images)[:, :, 0], [[0, 1, 2], [3, 4, 0]])
    height, width, channels = as_mosaic(np.zeros((273, 3, 16, 32), np.uint8)).shape
    assert channels == 3
    assert 0.8 < height / width < 1.25


def test_two_channels_are_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match="1 or 3 channels; these have 2"):
        code_length_bits(np.zeros((4, 2, 3, 3), np.uint8), 16, "png")


def test_unknown_codec_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match="Did you mean 'webp'"):
        code_length_bits(np.zeros((4, 1, 3, 3), np.uint8), 16, "webm")


@pytest.mark.parametrize("value", [-1, 16, 300])
def test_values_that_a_byte_or_the_levels_cannot_hold_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match="must hold 0 to 15"):
        code_length_bits(np.full((4, 1, 3, 3), value), 16, "png")


def _cut(mosaic: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The mosaic's images, read one by one with plain slices."""
    count, channels, height, width = shape
    columns = mosaic.shape[1] // width
    images = np.empty(shape, np.uint8)
    for i in range(count):
        top, left = i // columns * height, i % columns * width
        images[i] = mosaic[top : top + height, left : left + width, :channels].transpose(2, 0, 1)
    return images
