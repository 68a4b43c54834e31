"""The pictures of the README are small, and those of the lessons are of the committed results."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.docs.pictures import LESSONS, PICTURES, ROOT, VIEW, lesson

#: Bytes of all pictures together.
MOST = 400_000


def pixels(data: bytes) -> np.ndarray:
    """(height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_they_are_small_and_all_are_made_by_the_command() -> None:
    files = {path.name: path for path in PICTURES.iterdir()}
    assert set(files) == {"page.png", *(f"{name}.png" for name in LESSONS)}
    assert sum(path.stat().st_size for path in files.values()) < MOST
    assert pixels(files["page.png"].read_bytes()).shape[:2] == VIEW[::-1]


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_is_of_the_committed_results(name: str) -> None:
    """Pixel for pixel but for the font of the captions, which Pillow brings."""
    task, variants = LESSONS[name]
    made, kept = map(pixels, (lesson(task, variants, ROOT / "results"), (PICTURES / f"{name}.png").read_bytes()))
    below = 60
    assert np.array_equal(made[below:], kept[below:]), "make it again: `python -m tests.docs.pictures`"


def test_a_model_that_sees_itself_draws_black() -> None:
    picture = pixels((PICTURES / "sees-itself.png").read_bytes()).mean(2)
    third = picture.shape[1] // 3
    grids = [picture[60:-12, i * third + 16 : (i + 1) * third - 16] for i in range(3)]
    dark = [float((grid < 10).mean()) for grid in grids]
    assert dark[2] > 0.7 > max(dark[:2])
