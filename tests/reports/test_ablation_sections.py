"""Ablations: found by settings alone, compared where numbers may be compared, and told in words that go no further."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelbench.analysis import format as words
from pixelbench.analysis.ablations import TaskAblation
from pixelbench.analysis.paired import compare_cells, paired_difference
from pixelbench.reports.report import build_report
from pixelbench.store.record import LatentUse
from pixelbench.suites.design_choice import DesignChoice, shipped_choices
from tests.support.record_factory import add_digits, add_photos, add_run, add_seeds

VAE = {"latent": 16, "hierarchy": 1, "decoder": "without-upsampling"}
USED = LatentUse(4.2, (4.2,), 3, 16)
SAMPLES = {"importance_samples": 8}
PLAIN = [choice for choice in shipped_choices() if not (choice.open or choice.across_families)]


def ablations(store: Path, name: str) -> list[TaskAblation]:
    return [ablation for ablation in build_report(store).ablations if ablation.choice.name == name]


def only(store: Path, name: str) -> TaskAblation:
    (ablation,) = ablations(store, name)
    return ablation


def add_vae(store: Path, decoder: str, bits: float, **options: Any) -> None:
    settings = VAE | {"decoder": decoder} | options.pop("settings", {})
    evaluation = SAMPLES | options.pop("evaluation", {})
    add_run(store, f"vae-{decoder}", bits, family="pixelvae", settings=settings, evaluation=evaluation, **{"latent": USED, **options})


@pytest.mark.parametrize("choice", PLAIN, ids=[choice.name for choice in PLAIN])
def test_an_ablation_is_found_by_its_setting_whatever_the_variants_are_called(choice: DesignChoice, tmp_path: Path) -> None:
    setting = str(choice.setting)
    add_run(tmp_path, "any name", 1.0, settings={setting: choice.baseline.values[0]})
    for index, option in enumerate(reversed(choice.variants)):
        add_run(tmp_path, f"other {index}", 1.1, settings={setting: option.values[0]})
    found = only(tmp_path, choice.name)
    last = len(choice.variants) - 1
    assert found.labels == ("any name", *(f"other {last - index}" for index in range(len(choice.variants))))
    assert [entry.value for entry in found.rows] == [option.words for option in choice.options]
    assert all(option.words for option in choice.options)
    assert {ablation.choice.name for ablation in build_report(tmp_path).ablations} == {choice.name}


@pytest.mark.parametrize(
    "other",
    [
        {"settings": {"gates": False, "maps": 99}},
        {"settings": {"gates": False}, "updates": 900},
        {"settings": {"gates": False}, "recipe": {"learning_rate": 2e-3}},
        {"settings": {"gates": False}, "evaluation": {"test_images": 10}},
        {"settings": {"gates": False}, "digest": "e" * 64},
        {"settings": {"gates": False}, "family": "pixelvae"},
        {"settings": {"gates": True}, "expect": "leaky"},
    ],
)
def test_a_variant_must_differ_in_nothing_else(other: dict[str, Any], tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0, settings={"gates": True})
    add_run(tmp_path, "other", 1.1, **other)
    assert ablations(tmp_path, "gates") == []


def test_what_a_suite_calls_its_budget_does_not_matter(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0, settings={"gates": True}, budget="quick")
    add_run(tmp_path, "gated-pixelcnn", 1.1, settings={"gates": True}, budget="cpu", seed=1)
    add_run(tmp_path, "no-gates", 1.2, settings={"gates": False}, budget="cpu")
    found = only(tmp_path, "gates")
    assert found.labels == ("gated-pixelcnn", "no-gates")
    assert found.rows[0].row.seeds == 2


def test_each_budget_has_a_baseline_of_its_own(tmp_path: Path) -> None:
    for budget, updates in (("cpu", 500), ("short", 900)):
        add_run(tmp_path, "gated-pixelcnn", 1.0, settings={"gates": True}, budget=budget, updates=updates)
        add_run(tmp_path, "no-gates", 1.2, settings={"gates": False}, budget=budget, updates=updates)
    assert {one.labels for one in ablations(tmp_path, "gates")} == {
        ("gated-pixelcnn (cpu)", "no-gates (cpu)"),
        ("gated-pixelcnn (short)", "no-gates (short)"),
    }


def test_the_difference_is_paired_and_said_with_its_interval(tmp_path: Path) -> None:
    add_seeds(tmp_path, "gated-pixelcnn", 1.0, 1.01, settings={"stacks": "two"})
    add_seeds(tmp_path, "gated-one-stack", 1.2, 1.21, settings={"stacks": "one"})
    add_seeds(tmp_path, "gated-legacy", 1.001, 1.011, settings={"stacks": "legacy"})
    report = build_report(tmp_path)
    baseline, legacy, one = sorted(report.cells, key=lambda cell: cell.label != "gated-pixelcnn")
    found = only(tmp_path, "blind-spot")
    assert found.of("gated-pixelcnn").paired is None
    for cell in (one, legacy):
        paired = found.of(cell.label).paired
        assert paired is not None
        assert (paired.of, paired.difference) == ("likelihoods", compare_cells(baseline, cell))
    assert found.sentences[0].startswith("gated-pixelcnn beats gated-one-stack (one stack of masked convolutions) by 0.200 bits/dim (95 %")
    assert "gated-legacy (two stacks, all vertical layers strictly above their row) are not distinguishable" in found.sentences[1]


def test_with_one_seed_each_nobody_is_called_better(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0, settings={"stacks": "two"})
    add_run(tmp_path, "gated-one-stack", 1.2, settings={"stacks": "one"})
    entry = only(tmp_path, "blind-spot").of("gated-one-stack")
    assert entry.sentences[0].startswith("One seed each, seed noise unknown: gated-pixelcnn is 0.200 bits/dim better than gated-one-stack")
    assert words.against(entry.paired).endswith(", images alone)")
    add_run(tmp_path, "pixelcnn", 1.5)
    add_run(tmp_path, "pixelcnn", 1.51, seed=1)  # a cell of the task and budget with two seeds, from which they borrow
    entry = only(tmp_path, "blind-spot").of("gated-one-stack")
    assert entry.sentences[0].startswith("gated-pixelcnn beats gated-one-stack")
    assert entry.sentences[0].endswith("one seed each, seed noise pooled over cells with 1 degree of freedom).")
    assert "alone" not in words.against(entry.paired)


def test_a_leak_has_its_lesson_and_no_difference(tmp_path: Path) -> None:
    add_photos(tmp_path)
    found = only(tmp_path, "first-layer-residual")
    entry = found.of("gated-residual")
    assert (entry.paired, entry.row.category, entry.row.rank, entry.row.causal) == (None, "leaking", None, "leaky")
    assert entry.row.sequential_bits_per_dim == 9.1
    assert entry.sentences == next(lesson for lesson in build_report(tmp_path).lessons if lesson.variant == "gated-residual").sentences
    assert "beats" not in found.sentences[0]


def test_lessons_are_told_once_and_those_without_a_baseline_remain(tmp_path: Path) -> None:
    add_photos(tmp_path)
    add_digits(tmp_path)
    add_run(tmp_path, "lonely", 0.01, task="digits", settings={"first_layer": "residual", "maps": 99}, causal="leaky")
    report = build_report(tmp_path)
    assert {lesson.variant for lesson in report.lessons} == {"gated-residual", "gated-no-colour", "lonely"}
    assert [lesson.variant for lesson in report.remaining_lessons] == ["lonely"]


def test_bounds_of_one_estimator_have_a_difference_of_bounds(tmp_path: Path) -> None:
    for variant, gates, bits in (("pixelvae", True, 1.0), ("no-gates", False, 1.3)):
        add_seeds(tmp_path, variant, bits, bits + 0.01, family="pixelvae", latent=USED, settings=VAE | {"gates": gates})
    found = only(tmp_path, "gates")
    paired = found.of("no-gates").paired
    assert paired is not None
    assert paired.of == "bounds"
    assert paired.difference.mean == pytest.approx(0.3, abs=1e-6)
    assert "The bound of no-gates (ReLU) is 0.300 bits/dim higher than that of pixelvae" in found.sentences[0]
    assert "not surely the likelihoods. It uses 3 of 16 latents and spends 4.2 nats" in found.sentences[0]


@pytest.mark.parametrize(("gated", "plain", "side"), [(1.0, 1.3, "better"), (1.3, 1.0, "worse")])
def test_of_two_bounds_with_one_seed_each_the_lower_is_said_to_be_the_better(tmp_path: Path, gated: float, plain: float, side: str) -> None:
    add_run(tmp_path, "pixelvae", gated, settings=VAE | {"gates": True})
    add_run(tmp_path, "no-gates", plain, family="pixelvae", settings=VAE | {"gates": False})
    (sentence,) = only(tmp_path, "gates").sentences
    said = f"One seed each, seed noise unknown: the bound of pixelvae is 0.300 bits/dim {side} than that of no-gates (ReLU) (95 %"
    assert sentence.startswith(said)


def test_bounds_of_two_estimators_have_no_difference(tmp_path: Path) -> None:
    """They are not the same evaluation, so they are no ablation, nor have they a difference."""
    add_run(tmp_path, "pixelvae", 1.0, settings=VAE | {"gates": True})
    add_run(tmp_path, "no-gates", 1.3, family="pixelvae", evaluation=SAMPLES, settings=VAE | {"gates": False})
    assert ablations(tmp_path, "gates") == []
    one, other = build_report(tmp_path).cells
    assert paired_difference(one, other) is paired_difference(other, one) is None


def test_decoders_stand_beside_the_same_network_without_latents(tmp_path: Path) -> None:
    settings = {"stacks": "two", "condition": "none", "residual": True, "dilations": [1]}
    add_seeds(tmp_path, "gated-pixelcnn", 0.999, 1.001, settings=settings, evaluation=SAMPLES)
    for decoder, bits in (("straight", 1.2), ("spatial", 0.8), ("with-upsampling", 1.001), ("without-upsampling", 1.1)):
        add_vae(tmp_path, decoder, bits, latent=replace(USED, active_units=0, kl=0.0) if decoder == "straight" else USED)
    found = only(tmp_path, "vae-decoder")
    names = ("gated-pixelcnn", "vae-without-upsampling", "vae-with-upsampling", "vae-spatial", "vae-straight")
    assert found.labels == names
    assert found.rows[0].value == "no z"
    assert [entry.paired.of for entry in found.rows[1:] if entry.paired] == ["at most"] * 4
    without, _, spatial, straight = found.sentences
    assert "needs at most 1.100 bits/dim (8 importance samples), gated-pixelcnn exactly 1.000: a difference of at most +0.100" in without
    assert "It is not shown to be better" in without
    assert "so it is ahead" in spatial
    assert "Its decoder ignores z: none of 16 latents" in straight


@pytest.mark.parametrize(
    "other",
    [
        {"settings": {"layers": 9}},
        {"settings": {"hierarchy": 2}},
        {"recipe": {"learning_rate": 2e-3}},
        {"evaluation": {"importance_samples": 50}},
    ],
)
def test_a_decoder_must_be_the_baseline_but_for_its_latents(other: dict[str, Any], tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0, evaluation=SAMPLES)
    add_run(tmp_path, "gated-one-stack", 1.0, settings={"stacks": "one"}, evaluation=SAMPLES)
    add_vae(tmp_path, "spatial", 0.9, **other)
    assert ablations(tmp_path, "vae-decoder") == []


def test_decoders_of_other_latents_are_ablations_of_their_own(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0, evaluation=SAMPLES)
    add_vae(tmp_path, "spatial", 0.9)
    add_vae(tmp_path, "straight", 0.9, settings={"latent": 99})
    assert [one.labels for one in ablations(tmp_path, "vae-decoder")] == [
        ("gated-pixelcnn", "vae-spatial"),
        ("gated-pixelcnn", "vae-straight"),
    ]


def test_the_baseline_of_depth_is_the_network_called_like_its_family(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-8-layers", 0.9, settings={"layers": 8})
    add_seeds(tmp_path, "gated-pixelcnn", 0.999, 1.001, settings={"layers": 4})
    add_run(tmp_path, "gated-1-layer", 1.2, settings={"layers": 1})
    found = only(tmp_path, "depth")
    assert found.labels == ("gated-pixelcnn", "gated-1-layer", "gated-8-layers")
    assert [entry.value for entry in found.rows] == ["4 layers", "1 layer", "8 layers"]
    assert "gated-pixelcnn loses to gated-8-layers (8 layers) by 0.100" in found.sentences[1]


def test_runs_without_a_number_say_so(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0, settings={"stacks": "two"})
    add_run(tmp_path, "gated-one-stack", settings={"stacks": "one"}, status="diverged")
    assert only(tmp_path, "blind-spot").sentences == [
        "gated-one-stack (one stack of masked convolutions) has no number: its run ended as diverged."
    ]


def test_a_baseline_without_a_likelihood_says_so(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", settings={"gates": True}, status="failed")
    add_run(tmp_path, "no-gates", 1.0, settings={"gates": False})
    assert "gated-pixelcnn has no number to hold it against" in only(tmp_path, "gates").sentences[0]
    add_run(tmp_path, "leaking", 0.1, settings={"gates": True, "maps": 99}, causal="leaky")
    add_run(tmp_path, "causal", 1.0, settings={"gates": False, "maps": 99})
    said = next(one for one in ablations(tmp_path, "gates") if one.baseline == "leaking").sentences[0]
    assert "leaking is not causal, so there is no likelihood to hold it against" in said


def test_ablations_are_plain_json(tmp_path: Path) -> None:
    add_photos(tmp_path)
    document = json.loads(json.dumps(build_report(tmp_path).as_dict()["ablations"], allow_nan=False))
    assert [(one["name"], one["task"], one["baseline"]) for one in document] == [
        ("colour-conditioning", "photos", "gated-pixelcnn"),
        ("first-layer-residual", "photos", "gated-pixelcnn"),
    ]
    baseline, variant = document[0]["rows"]
    assert baseline["difference"] is None
    assert variant["difference"]["of"] == "likelihoods"
    assert variant["difference"]["mean"] == pytest.approx(0.123, abs=1e-6)
    assert variant["sentences"]
    assert "rank" not in variant


def test_of_several_networks_called_like_their_family_the_shallowest_is_the_baseline_of_depth(tmp_path: Path) -> None:
    for layers in (5, 2, 3):
        add_run(tmp_path, "pixelcnn", 1.0 - layers / 100, settings={"layers": layers})
    (found,) = [one for one in build_report(tmp_path).ablations if one.choice.name == "depth"]
    assert [entry.value for entry in found.rows] == ["2 layers", "3 layers", "5 layers"]


def test_cells_that_share_a_name_are_told_apart_by_what_only_they_have(tmp_path: Path) -> None:
    for rate in (0.1, 0.2):
        add_run(tmp_path, "pixelcnn", 1.0, recipe={"learning_rate": rate, "batch": 8})
    add_run(tmp_path, "pixelcnn", 1.0, recipe={"learning_rate": 0.1, "batch": 8}, evaluation={"samples": 3})
    labels = {cell.label for cell in build_report(tmp_path).cells}
    assert {"pixelcnn (learning_rate 0.2)", "pixelcnn (samples 3)"} < labels
    assert len(labels) == 3
