"""Digits: the same images as scikit-learn's, and no hand in two splits."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pixelbench.data import Split, get_task
from pixelbench.data.sources.digits import FORMS, TEST_FORMS, TRAIN_FORMS, VALIDATION_FORMS

#: The labels of a complete form.
FORM = "0123456789012345678901234567890955650989841773510022782012633733466649150952820017632174631391768431405369617544728225795488490898"


@pytest.fixture(scope="module")
def published() -> tuple[np.ndarray, list[int]]:
    rows, labels = load_digits(return_X_y=True)
    return np.asarray(rows).astype(np.uint8).reshape(-1, 1, 8, 8), np.asarray(labels).tolist()


def test_counts() -> None:
    data = get_task("digits").load()
    assert {name: len(split) for name, split in data.splits().items()} == {"train": 891, "validation": 260, "test": 646}
    assert {name: len(np.unique(split.clusters)) for name, split in data.splits().items()} == {"train": 7, "validation": 2, "test": 5}


def test_forms_are_complete_and_disjoint() -> None:
    assert [*TEST_FORMS, *VALIDATION_FORMS, *TRAIN_FORMS] == list(range(len(FORMS) - 1))


def test_every_form_repeats_the_same_labels(published: tuple[np.ndarray, list[int]]) -> None:
    """Deleting up to eight labels of the complete form must give each form's labels, up to one misprint: so its borders are right."""
    _, labels = published
    for start, end in pairwise(FORMS):
        assert _longest_common_subsequence("".join(map(str, labels[start:end])), FORM) >= end - start - 2
        assert len(FORM) - 8 <= end - start <= len(FORM)


def test_images_are_those_of_scikit_learn(published: tuple[np.ndarray, list[int]]) -> None:
    images, labels = published
    data = get_task("digits").load()
    for split in data.splits().values():
        for form in np.unique(split.clusters):
            np.testing.assert_array_equal(split.images[split.clusters == form], images[FORMS[form] : FORMS[form + 1]])
            assert split.labels is not None
            assert split.labels[split.clusters == form].tolist() == labels[FORMS[form] : FORMS[form + 1]]


def test_hands_differ_between_splits() -> None:
    """A test image's nearest neighbour in its own form is much nearer than in any one form of train: no hand straddles."""
    data = get_task("digits").load()
    for own in _by_form(data.test):
        within = _squared_distances(own, own)
        np.fill_diagonal(within, np.inf)
        for other in _by_form(data.train):
            across = _squared_distances(own, other).min(1)
            assert within.min(1).mean() < 0.85 * across.mean()
            assert across.min() > 0


def _by_form(split: Split) -> list[np.ndarray]:
    return [split.images[split.clusters == form].reshape(-1, 64).astype(np.float64) for form in np.unique(split.clusters)]


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T


def _longest_common_subsequence(a: str, b: str) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        before = row
        row = [0]
        for j, y in enumerate(b):
            row.append(before[j] + 1 if x == y else max(row[j], before[j + 1]))
    return row[-1]
