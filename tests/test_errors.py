"""The nearest valid name, for people who mistype."""

import pytest

from pixelbench.errors import nearest, unknown

pytestmark = pytest.mark.quick

NAMES = ["digits/gated-pixelcnn", "digits/gated-residual", "digits/pixelcnn", "digits/png", "photos/pixelcnn"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("digits/gatd", "digits/gated-pixelcnn"),
        ("digits/gated-residul", "digits/gated-residual"),
        ("digits/pgn", "digits/png"),
        ("photo/pixelcnn", "photos/pixelcnn"),
        ("xyz", None),
        ("", None),
    ],
)
def test_nearest(typed: str, meant: str | None):
    assert nearest(typed, NAMES) == meant


def test_unknown_names_the_nearest_and_all():
    assert str(unknown("task", "digit", ["photos", "digits"])) == "Unknown task 'digit'. Did you mean 'digits'? Known: digits, photos."
    assert str(unknown("task", "zzzz", ["photos", "digits"])) == "Unknown task 'zzzz'. Known: digits, photos."
