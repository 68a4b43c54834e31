"""Codecs: files that decode to the very images, and lengths that are those of the files."""

import io

import numpy as np
import pytest
from PIL import Image

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.codecs import as_mosaic, code_length_bits, encoder
from pixelbench.units import bits_per_dim, bits_to_nats


@pytest.mark.parametrize("codec", ["png", "webp"])
@pytest.mark.parametrize("task", ["digits", "photos"])
def test_decoding_gives_back_the_very_images(codec: str, task: str) -> None:
    images = get_task(task).load().test.images
    mosaic = as_mosaic(images)
    with Image.open(io.BytesIO(encoder(codec)(mosaic))) as file:
        assert file.format == codec.upper()
        decoded = np.asarray(file.convert("RGB"))[:, :, : mosaic.shape[2]]
    np.testing.assert_array_equal(_cut(decoded, images.shape), images)


@pytest.mark.parametrize("codec", ["png", "webp"])
@pytest.mark.parametrize(("channels", "count"), [(1, 7), (3, 7), (3, 1)])
def test_noise_with_black_neighbours_survives_too(codec: str, channels: int, count: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, channels, 5, 9), np.uint8)
    images[0] = 0
    with Image.open(io.BytesIO(encoder(codec)(as_mosaic(images)))) as file:
        decoded = np.asarray(file.convert("RGB"))[:, :, :channels]
    np.testing.assert_array_equal(_cut(decoded, images.shape), images)


@pytest.mark.parametrize("codec", ["png", "webp"])
def test_length_is_that_of_the_file(codec: str) -> None:
    images = get_task("digits").load().test.images[:50]
    assert code_length_bits(images, 17, codec) == 8 * len(encoder(codec)(as_mosaic(images)))


@pytest.mark.parametrize("codec", ["png", "webp"])
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


@pytest.mark.parametrize("value", [256, 300, -1])
def test_no_number_of_levels_lets_through_what_a_byte_cannot_hold(value: int) -> None:
    with pytest.raises(ValueError, match=f"must hold 0 to 255, got {min(value, 5)} to {max(value, 5)}"):
        code_length_bits(np.array([value, 5]).reshape(2, 1, 1, 1), 65536, "png")
    assert code_length_bits(np.array([255, 5]).reshape(2, 1, 1, 1), 65536, "png") > 0


def test_png_is_of_deflate_level_9_and_smaller_than_by_default() -> None:
    mosaic = as_mosaic(get_task("photos").load().test.images)
    length = len(encoder("png")(mosaic))
    assert length == pytest.approx(_length(mosaic, format="PNG", compress_level=9), rel=1e-3)
    assert length < _length(mosaic, format="PNG")


def test_less_effort_makes_no_smaller_webp() -> None:
    mosaic = as_mosaic(get_task("digits").load().test.images[:100])
    colour = np.repeat(mosaic, 3, axis=2)
    efforts = [{"quality": quality, "method": method} for quality in (0, 50, 100) for method in range(7)]
    assert len(encoder("webp")(mosaic)) <= min(_length(colour, format="WEBP", lossless=True, **effort) for effort in efforts)


def test_grey_webp_is_three_equal_colours() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 5, 9), np.uint8)
    with Image.open(io.BytesIO(encoder("webp")(as_mosaic(images)))) as file:
        assert file.mode == "RGB"
        decoded = np.asarray(file)
    for colour in range(3):
        np.testing.assert_array_equal(decoded[:, :, colour], as_mosaic(images)[:, :, 0])


def test_an_unknown_codec_is_called_a_codec() -> None:
    with pytest.raises(UserError, match=r"^Unknown codec 'jpeg'.*png.*webp"):
        code_length_bits(np.zeros((1, 1, 2, 2), np.uint8), 2, "jpeg")


def _length(mosaic: np.ndarray, **options: object) -> int:
    file = io.BytesIO()
    Image.fromarray(mosaic).save(file, **options)  # type: ignore[arg-type]
    return file.getbuffer().nbytes


def _cut(mosaic: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The mosaic's images, read one by one with plain slices."""
    count, channels, height, width = shape
    columns = mosaic.shape[1] // width
    images = np.empty(shape, np.uint8)
    for i in range(count):
        top, left = i // columns * height, i % columns * width
        images[i] = mosaic[top : top + height, left : left + width, :channels].transpose(2, 0, 1)
    return images
