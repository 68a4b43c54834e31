"""Measures of samples against real images: equal to loops that anyone can check, and laws that hold for any images."""

import ast
import importlib.util
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelbench.errors import UserError
from pixelbench.evaluation.measures import MEASURES, Measure, Value, register_measure, separates
from pixelbench.evaluation.measures.compared import NEIGHBOURS, Compared, ImageSet
from pixelbench.evaluation.measures.distances import distances, nearest
from pixelbench.evaluation.measures.halves import standard_errors
from pixelbench.evaluation.measures.registry import value_of

LEVELS = 16
SIDE = 6


def images_of(n: int, seed: int, *, levels: int = LEVELS, channels: int = 1, smooth: bool = True) -> np.ndarray:
    """Images that have structure: neighbours are alike."""
    noise = np.random.default_rng(seed).normal(size=(n, channels, SIDE + 2, SIDE + 2))
    if smooth:
        noise = np.sum([noise[..., i : i + SIDE, j : j + SIDE] for i, j in itertools.product(range(3), repeat=2)], axis=0) / 3
    values = np.clip((noise[..., :SIDE, :SIDE] + 2) / 4, 0, 1)
    return np.rint(values * (levels - 1)).astype(np.uint8)


def flat(images: np.ndarray, levels: int = LEVELS) -> np.ndarray:
    return images.reshape(len(images), -1) / (levels - 1)


TRAIN = images_of(300, seed=100)


def image_set(images: np.ndarray, features: np.ndarray | None = None, levels: int = LEVELS) -> ImageSet:
    to_train = nearest(flat(images, levels), [flat(TRAIN, levels)]) if images.shape[1] == 1 else np.ones(len(images))
    return ImageSet(images, flat(images, levels) if features is None else features, to_train, np.arange(len(images)))


def compared(samples: np.ndarray, reference: np.ndarray, levels: int = LEVELS) -> Compared:
    return Compared(image_set(samples, levels=levels), image_set(reference, levels=levels), levels)


def of_features(samples: np.ndarray, reference: np.ndarray) -> Compared:
    def blank(features: np.ndarray) -> ImageSet:
        return image_set(np.zeros((len(features), 1, SIDE, SIDE), np.uint8), features)

    return Compared(blank(samples), blank(reference), LEVELS)


def value(name: str, sets: Compared) -> float:
    found = MEASURES[name].function(sets)
    assert found is not None
    return found


# The loops: no arrays, no tricks, straight from the papers' formulas.


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(((one - other) ** 2).sum()))


def radius(index: int, points: np.ndarray) -> float:
    return sorted(apart(points[index], other) for j, other in enumerate(points) if j != index)[NEIGHBOURS - 1]


def by_loops(samples: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    real = [radius(j, reference) for j in range(len(reference))]
    drawn = [radius(i, samples) for i in range(len(samples))]
    inside = [[apart(x, y) <= real[j] for j, y in enumerate(reference)] for x in samples]
    return {
        "precision": sum(any(row) for row in inside) / len(samples),
        "recall": sum(any(apart(x, y) <= drawn[i] for i, x in enumerate(samples)) for y in reference) / len(reference),
        "density": sum(sum(row) for row in inside) / NEIGHBOURS / len(samples),
        "coverage": sum(any(row[j] for row in inside) for j in range(len(reference))) / len(reference),
    }


def kid_by_loops(samples: np.ndarray, reference: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (sum(float(a) * float(b) for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def others(points: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(points)) for j in range(len(points)) if i != j]
        return sum(kernel(points[i], points[j]) for i, j in pairs) / len(pairs)

    cross = sum(kernel(x, y) for x in samples for y in reference) / (len(samples) * len(reference))
    return others(samples) + others(reference) - 2 * cross


def normal(n: int, seed: int, shift: float = 0.0, width: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, width))


@pytest.mark.parametrize("shift", [0.0, 0.7, 4.0])
@pytest.mark.parametrize("sizes", [(40, 40), (25, 50)])
def test_measures_by_neighbours_are_those_of_loops(shift: float, sizes: tuple[int, int]) -> None:
    samples, reference = normal(sizes[0], 1, shift), normal(sizes[1], 2)
    sets, loops = of_features(samples, reference), by_loops(samples, reference)
    assert {name: value(name, sets) for name in loops} == pytest.approx(loops, abs=1e-6)


def test_measures_by_neighbours_are_those_of_loops_where_distances_tie() -> None:
    samples, reference = (np.random.default_rng(seed).integers(0, 2, (40, 9)).astype(float) for seed in (1, 2))
    loops = by_loops(samples, reference)
    assert {name: value(name, of_features(samples, reference)) for name in loops} == pytest.approx(loops, abs=1e-6)


def test_kernel_distance_is_that_of_loops() -> None:
    samples, reference = normal(20, 1, 0.5), normal(30, 2)
    assert value("kid", of_features(samples, reference)) == pytest.approx(kid_by_loops(samples, reference), abs=1e-9)


def their_functions() -> dict[str, Any]:
    """The formula of torch-fidelity, without what the package imports to compute its features."""
    spec = importlib.util.find_spec("torch_fidelity")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("torch-fidelity is not installed")
    tree = ast.parse((Path(spec.submodule_search_locations[0]) / "metric_kid.py").read_text())
    kept: list[ast.stmt] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in ("mmd2", "kernel_poly")]
    found: dict[str, Any] = {"np": np, "vassert": lambda holds, said: None, "get_kwarg": lambda name, given: given[name]}
    exec(compile(ast.Module(kept, []), "metric_kid.py", "exec"), found)
    return found


def test_kernel_distance_is_that_of_torch_fidelity() -> None:
    their, usual = their_functions(), {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
    samples, reference = normal(80, 1, 0.5, 30), normal(80, 2, width=30)
    pairs = ((samples, samples), (samples, reference), (reference, reference))
    theirs = their["mmd2"](*(their["kernel_poly"](*pair, **usual) for pair in pairs))
    assert value("kid", of_features(samples, reference)) == pytest.approx(float(theirs), abs=1e-6)


def test_measures_by_neighbours_are_those_of_prdc() -> None:
    prdc = pytest.importorskip("prdc")
    samples, reference = normal(80, 1, 0.5), normal(80, 2)
    theirs = prdc.compute_prdc(real_features=reference, fake_features=samples, nearest_k=NEIGHBOURS)
    assert {name: value(name, of_features(samples, reference)) for name in theirs} == pytest.approx(theirs, abs=1e-6)


def test_distances_are_exact_where_vectors_are_equal() -> None:
    points = np.random.default_rng(0).random((30, 500))
    found = distances(points, points)
    assert (np.diag(found) == 0).all()
    np.testing.assert_allclose(found, [[apart(x, y) for y in points] for x in points], rtol=1e-5)


def test_the_nearest_of_blocks_is_the_nearest_of_all() -> None:
    points, pool = normal(20, 1), np.concatenate([normal(90, 2), normal(5, 1)])
    found = nearest(points, [pool[:50], pool[50:51], pool[51:]])
    np.testing.assert_allclose(found, [min(apart(x, y) for y in pool) for x in points], rtol=1e-6)
    assert (found[:5] == 0).all()


#: Of images that are the reference itself.
IDENTICAL = {"precision": 1, "recall": 1, "coverage": 1, "spectrum": 0, "spacing": 1}
#: Of images from which nothing in the reference is.
DISJOINT = {"precision": 0, "recall": 0, "coverage": 0, "density": 0}


def test_identical_images_are_perfect() -> None:
    images = images_of(50, seed=1)
    found = {name: value(name, compared(images, images)) for name in IDENTICAL}
    assert found == pytest.approx(IDENTICAL)
    assert value("kid", compared(images, images)) < 0  # unbiased: each has itself among the others


def test_disjoint_images_share_nothing() -> None:
    dark, bright = np.zeros((2, 40, 1, SIDE, SIDE), np.uint8)
    dark[:], bright[:] = images_of(40, 1, levels=4), 15 - images_of(40, 2, levels=4)
    assert {name: value(name, compared(dark, bright)) for name in DISJOINT} == DISJOINT
    assert value("kid", compared(dark, bright)) > 0.1


@pytest.mark.parametrize("name", list(MEASURES))
def test_the_order_of_images_is_nothing(name: str) -> None:
    samples, reference = images_of(40, 1), images_of(40, 2)
    chance = np.random.default_rng(0)
    shuffled = compared(samples[chance.permutation(40)], reference[chance.permutation(40)])
    assert value(name, shuffled) == pytest.approx(value(name, compared(samples, reference)), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", list(MEASURES))
def test_a_subset_has_the_value_of_its_images_alone(name: str) -> None:
    samples, reference = images_of(60, 1), images_of(50, 2)
    rows, columns = np.arange(5, 45), np.arange(3, 48)
    sets = compared(samples, reference)
    value(name, sets)
    assert value(name, sets.subset(rows, columns)) == pytest.approx(value(name, compared(samples[rows], reference[columns])), rel=1e-6)


def test_errors_shrink_with_the_number_of_images() -> None:
    def errors(n: int) -> dict[str, float | None]:
        sets = compared(images_of(n, 10, smooth=False), images_of(n, 20))
        return standard_errors(sets, {name: measure.function for name, measure in MEASURES.items()}, 0)

    few, many = errors(60), errors(400)
    assert {name for name in MEASURES if (many[name] or 0) < 0.75 * (few[name] or 1)} >= set(MEASURES) - {"precision"}


def test_errors_are_the_deviation_over_drawings() -> None:
    """The halves of one drawing say what many drawings show, within what so few can tell."""
    functions = {name: MEASURES[name].function for name in ("kid", "coverage", "precision")}
    drawings = [of_features(normal(100, 2 * seed, 1.0), normal(100, 2 * seed + 1)) for seed in range(25)]
    said = [standard_errors(sets, functions, 0) for sets in drawings[:4]]
    for name in functions:
        shown = np.std([value(name, sets) for sets in drawings])
        assert 0.5 < np.mean([one[name] or 0.0 for one in said]) / shown < 2


def test_images_of_one_unit_are_kept_together() -> None:
    """Copies within a unit are no more images: the error is that of the units."""
    samples, reference = normal(60, 1), normal(30, 2)
    repeated = np.repeat(reference, 2, axis=0)
    blank = np.zeros((60, 1, SIDE, SIDE), np.uint8)
    as_units = ImageSet(blank, repeated, np.ones(60), np.repeat(np.arange(30), 2))
    as_images = ImageSet(blank, repeated, np.ones(60), np.arange(60))
    drawn = ImageSet(blank, samples, np.ones(60), np.arange(60))

    def mean(sets: Compared) -> float:
        return float(sets.reference.mean())

    errors = [standard_errors(Compared(drawn, side, LEVELS), {"mean": mean}, 0)["mean"] for side in (as_units, as_images)]
    assert errors[0] > 1.2 * errors[1]  # type: ignore[operator]


#: The first three moments of so few pixels hardly differ.
BLIND_HERE = ("kid",)


@pytest.mark.parametrize("name", list(MEASURES))
def test_a_measure_tells_its_control_from_real_images_and_not_real_from_real(name: str) -> None:
    measure, reference = MEASURES[name], images_of(150, 2)
    wrong = {
        "independent-pixels": images_of(150, 3, smooth=False),
        "copies": TRAIN[:150],
        "repeated": np.repeat(TRAIN[:1], 150, axis=0),
    }[measure.control]

    def measured(images: np.ndarray) -> Value:
        sets = compared(images, reference)
        return Value(value(name, sets), standard_errors(sets, {name: measure.function}, 0)[name])

    floor = measured(images_of(150, 1))
    assert separates(measure, floor, measured(wrong)) == (name not in BLIND_HERE)
    assert not separates(measure, floor, measured(images_of(150, 4)))


def test_chroma_is_in_the_spectrum() -> None:
    """Colours that are drawn without each other have each the right spectrum, and together a wrong one."""
    grey = images_of(60, 1)
    real = np.repeat(grey, 3, axis=1)
    apart_colours = np.concatenate([images_of(60, seed) for seed in (2, 3, 4)], axis=1)
    alike = np.repeat(images_of(60, 5), 3, axis=1)
    assert value("spectrum", compared(apart_colours, real)) > 5 * value("spectrum", compared(alike, real))


@pytest.mark.parametrize(("field", "wrong"), [("name", "A b"), ("title", " "), ("better", "up"), ("control", "none"), ("unit", "metres")])
def test_measures_that_cannot_be_are_refused(field: str, wrong: str) -> None:
    given: dict[str, Any] = {"name": "mine", "title": "t", "meaning": "m", "source": "s", "better": "lower", field: wrong}
    with pytest.raises((ValueError, UserError)):
        register_measure(given.pop("name"), **given)(lambda sets: 0.0)
    assert "mine" not in MEASURES


def test_kernel_distance_grows_with_brightness() -> None:
    real = images_of(80, 2, levels=8)
    distances_of = [value("kid", compared(images_of(80, 1, levels=8) + more, real)) for more in (0, 2, 5)]
    assert distances_of == sorted(distances_of)
    assert distances_of[2] > 0.05


@pytest.mark.parametrize(("gives", "said"), [(float("nan"), "gave nan"), ("much", "raised ValueError")])
def test_a_measure_of_somebody_that_gives_no_number_says_so(gives: Any, said: str) -> None:
    measure = Measure("theirs", "t", "m", "s", lambda sets: gives, "lower")
    with pytest.raises(UserError, match=said):
        value_of(measure, compared(images_of(20, 1), images_of(20, 2)))


def test_a_name_of_ours_is_taken() -> None:
    with pytest.raises(UserError, match="kid"):
        register_measure("kid", title="t", meaning="m", source="s", better="lower")(lambda sets: 0.0)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 5 images"):
        compared(images_of(5, 1), images_of(40, 2))
