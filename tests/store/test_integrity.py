"""What does not add up is found: each trick beside a genuine run that nothing is said of.

Records are edited as by somebody who knows the format: with the digests of record and files made again, and where it is said, the key.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelbench.causality.analysis.diagnosis import _PATTERNS
from pixelbench.causality.analysis.diagnosis_texts import OF_GAPS, OF_LEAKS, OF_STATE, SENTENCES
from pixelbench.data.sources.photos import photograph_of
from pixelbench.evaluation.protocol import Evaluation
from pixelbench.statistics import clustered_standard_error
from pixelbench.store.artifacts import CERTIFICATE, NATS, read_nats
from pixelbench.store.cache import StoreCache
from pixelbench.store.record import Causality, LatentUse, Likelihood, Record, RunError, Stretch
from pixelbench.store.record_file import write_record
from pixelbench.store.scan import Scan, scan
from pixelbench.units import bits_per_dim, bits_to_nats
from tests.support.certificate_factory import certificate, certificate_file
from tests.support.record_factory import (
    add_digits,
    add_photos,
    add_run,
    add_seeds,
    add_spec,
    as_schema_1,
    ask,
    folder_of,
    nats_file,
    rewrite,
)

ROOT = Path(__file__).parents[2]
LEAKS = {"causal": "leaky", "expect": "leaky"}


def examined(store: Path) -> Scan:
    return scan(store).examine()


def doubts_of(store: Path, record: Record) -> tuple[str, ...]:
    return examined(store)[record.run_key].doubts


def only_doubt(store: Path, record: Record) -> str:
    """Of the one run that does not add up; every other does."""
    found = examined(store)
    assert [key for key, run in found.items() if run.doubts] == [record.run_key]
    (said,) = found[record.run_key].doubts
    assert found.problems[0].endswith(f"record.json does not add up, so it is not ranked, compared or judged: {said}.")
    return said


def rekeyed(record: Record) -> Record:
    """With the key of what it now says."""
    return replace(record, run_key=record.spec.key)


def scored(record: Record, **changes: Any) -> Record:
    assert record.likelihood is not None
    return replace(record, likelihood=replace(record.likelihood, **changes))


def put(folder: Path, name: str, blob: bytes) -> None:
    """Puts a file beside a record as if the run had left it."""
    (folder / name).write_bytes(blob)
    rewrite(folder, lambda record: replace(record, artifacts={**record.artifacts, name: hashlib.sha256(blob).hexdigest()}))


def test_genuine_runs_of_every_kind_add_up(tmp_path: Path) -> None:
    add_photos(tmp_path)
    add_digits(tmp_path)
    add_seeds(tmp_path, "gated-pixelcnn", 1.0, 1.1, 1.2, budget="cpu", updates=900)
    add_run(tmp_path, "pixelvae", 0.15, task="mnist-fixed", evaluation={"test_images": None})
    add_run(tmp_path, "vae-8", 0.15, family="pixelvae", task="mnist-fixed", evaluation={"importance_samples": 8})
    add_run(tmp_path, "partial", 1.0, causal="partial", settings={"layers": 4})
    mapped, leaking = (certificate_file(certificate(sees_itself=leaks, shape=(1, 8, 8))) for leaks in (False, True))
    add_run(tmp_path, "mapped", 2.0, task="digits", settings={"layers": 4}, files={CERTIFICATE: mapped})
    add_run(tmp_path, "leaking", 0.1, task="digits", settings={"first_layer": "residual"}, files={CERTIFICATE: leaking}, **LEAKS)
    for status in ("diverged", "timeout", "interrupted"):
        add_run(tmp_path, "pixelcnn", task="digits", status=status, updates=900 + len(status))
    found = examined(tmp_path)
    assert found.problems == []
    assert [run.doubts for run in found.values()] == [()] * len(found)
    for run in found.values():
        as_schema_1(run.folder)
    assert examined(tmp_path).problems == []


def test_the_committed_results_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StoreCache, "save", lambda cache: None)  # a test leaves nothing in the repository
    found = scan(ROOT / "results", cached=False).examine()
    assert len(found) > 50
    assert found.problems == []


# What was asked for, and the key.


@pytest.mark.parametrize(
    "edit",
    [
        lambda record: replace(record, seed=7),
        lambda record: replace(record, budget=replace(record.budget, updates=499)),
        lambda record: replace(record, recipe=replace(record.recipe, learning_rate=0.5)),
        lambda record: replace(record, variant=replace(record.variant, settings={**record.variant.settings, "layers": 9})),
        lambda record: replace(record, variant=replace(record.variant, family="pixelsnail")),
        lambda record: replace(record, variant=replace(record.variant, model_version=9)),
        lambda record: replace(record, evaluation=Evaluation(**{**asdict(record.evaluation), "samples": 23})),
        lambda record: replace(record, run_key="0123456789ab"),
    ],
    ids=["seed", "updates", "recipe", "settings", "family", "version", "evaluation", "key"],
)
def test_whoever_edits_what_was_asked_for_has_the_wrong_key(tmp_path: Path, edit: Callable[[Record], Record]) -> None:
    genuine, other = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    edited = rewrite(folder_of(tmp_path, other), edit)
    doubts = examined(tmp_path)[edited.run_key].doubts
    assert doubts[0] == f"its run key is {edited.run_key}, and what it says was asked for has the key {edited.spec.key}"
    assert not doubts_of(tmp_path, genuine)


@pytest.mark.parametrize("name", ["variant", "budget"])
def test_a_name_is_no_part_of_the_key(tmp_path: Path, name: str) -> None:
    """So that to be renamed is not to be doubted; what hangs on a name is nobody's verdict."""
    record = add_run(tmp_path, "pixelcnn", 1.0)
    rewrite(folder_of(tmp_path, record), lambda record: replace(record, **{name: replace(getattr(record, name), name="mine")}))
    assert not doubts_of(tmp_path, record)


def copy(store: Path, record: Record, edit: Callable[[Record], Record]) -> Record:
    """A run's folder under another key."""
    copied = edit(record)
    folder = store / record.task.name / record.variant.name / copied.run_key
    shutil.copytree(folder_of(store, record), folder)
    write_record(folder, copied)
    return copied


def test_a_copy_with_another_key_is_not_believed(tmp_path: Path) -> None:
    genuine = add_run(tmp_path, "pixelcnn", 1.0)
    for key in ("0123456789aa", "0123456789ab"):
        copied = copy(tmp_path, genuine, lambda record, key=key: replace(record, run_key=key))
        assert "its run key is" in doubts_of(tmp_path, copied)[0]
    assert not doubts_of(tmp_path, genuine)


def test_copies_under_other_seeds_are_found_by_their_nats_and_none_is_believed(tmp_path: Path) -> None:
    """Nobody knows which of them is the run."""
    genuine, apart = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    copies = [copy(tmp_path, genuine, lambda record, seed=seed: rekeyed(replace(record, seed=seed))) for seed in (4, 2)]
    for record in (genuine, *copies):
        assert doubts_of(tmp_path, record) == ("seeds 0, 2, 4 have the same nats to the last bit, so they are copies of one run",)
    assert not doubts_of(tmp_path, apart)


def test_what_is_not_trained_or_leaks_may_have_the_same_nats_for_every_seed(tmp_path: Path) -> None:
    for variant, options in (("histogram", {}), ("gated-residual", {"settings": {"first_layer": "residual"}, **LEAKS})):
        genuine = add_run(tmp_path, variant, 1.0, **options)
        copy(tmp_path, genuine, lambda record: rekeyed(replace(record, seed=1)))
    assert examined(tmp_path).problems == []


# The images.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digest": "d" * 64}, "digest 'dddddddddddddd..."),
        ({"levels": 256}, "levels 256 instead of 16"),
        ({"channels": 1}, "channels 1 instead of 3"),
        ({"height": 32, "width": 32}, "height 32 instead of 16, width 32 instead of 16"),
        ({"preprocessing": "Thresholded."}, "preprocessing 'Thresholded.' instead of "),
    ],
)
def test_other_images_under_the_name_of_a_task_that_ships(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    add_run(tmp_path, "pixelcnn", 1.0)
    spec = ask("pixelcnn", seed=1)
    record = add_spec(tmp_path, replace(spec, task={**spec.task, **changes}), 1.0)
    doubt = only_doubt(tmp_path, record)
    assert doubt.startswith("its images are not those of task photos: ")
    assert said in doubt


def test_of_a_task_that_pins_no_images_any_digest_may_stand(tmp_path: Path) -> None:
    for digest in ("a" * 64, "b" * 64):
        add_run(tmp_path, "pixelcnn", 3.0, task="imagenet32", digest=digest)
    assert examined(tmp_path).problems == []


# The number and the nats that back it.


def both_units(record: Record, bits: float) -> Record:
    return scored(record, bits_per_dim=bits, nats_per_image=bits_to_nats(bits * record.task.dimensions))


@pytest.mark.parametrize("schema", [1, 2])
def test_an_edited_number_is_not_backed_by_the_nats(tmp_path: Path, schema: int) -> None:
    _, record = add_seeds(tmp_path, "pixelcnn", 1.9, 1.979)
    folder = folder_of(tmp_path, record)
    rewrite(folder, lambda record: both_units(record, 0.5))
    if schema == 1:
        as_schema_1(folder)
    assert only_doubt(tmp_path, record).startswith("the mean of nats.npz is 1053.49 nats an image, and the record says 266.169")


@pytest.mark.parametrize(("factor", "doubted"), [(1 - 1e-5, True), (1 + 1e-5, True), (1 + 1e-8, False)])
def test_a_number_may_differ_from_the_nats_by_rounding_alone(tmp_path: Path, factor: float, doubted: bool) -> None:
    """Those are kept in float32, and their mean was taken before."""
    record = add_run(tmp_path, "pixelcnn", 1.9)
    rewrite(folder_of(tmp_path, record), lambda record: both_units(record, 1.9 * factor))
    assert bool(doubts_of(tmp_path, record)) == doubted


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bits_per_dim": 0.5}, "its likelihood is 0.5 bits/dim and 532.337 nats, which are not one number"),
        ({"nats_per_image": 300.0}, "its likelihood is 1 bits/dim and 300 nats, which are not one number"),
        ({"bits_per_dim_se": 0.001}, "the standard error of nats.npz is 0.0"),
        ({"bits_per_dim_se": None}, "and the record says none"),
        ({"n_images": 59}, "nats.npz holds 60 images, and the record says 59"),
        ({"n_clusters": 60}, "nats.npz holds 12 clusters, and the record says 60"),
        ({"estimator": "elbo"}, "its estimator is elbo, and its family's is exact"),
        ({"estimator": "code-length"}, "its estimator is code-length, and its family's is exact"),
    ],
)
def test_every_edited_field_of_the_likelihood_is_found(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    record, _ = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    rewrite(folder_of(tmp_path, record), lambda record: scored(record, **change))
    found = examined(tmp_path)
    assert said in "; ".join(found[record.run_key].doubts)
    assert len(found.problems) == 1


def spoil(kind: str, nats: np.ndarray, clusters: np.ndarray) -> bytes:
    spoilt = {
        "zeros": (np.zeros_like(nats), clusters),
        "nan": (np.where(clusters == 3, np.float32("nan"), nats), clusters),
        "other length": (nats[:50], clusters[:50]),
        "twice": (np.tile(nats, 2), np.tile(clusters, 2)),
        "other clusters": (nats, np.arange(len(nats))),
        "one image better": (np.where(np.arange(len(nats)) == 7, 0, nats).astype(np.float32), clusters),
    }
    return b"no archive" if kind == "damaged" else nats_file(*spoilt[kind])


@pytest.mark.parametrize("kind", ["zeros", "nan", "other length", "twice", "other clusters", "one image better", "damaged", "missing"])
@pytest.mark.parametrize("knows", [False, True], ids=["swapped", "with its digest"])
def test_nats_that_do_not_back_the_number(tmp_path: Path, kind: str, knows: bool) -> None:
    record, genuine = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    folder = folder_of(tmp_path, record)
    if kind == "missing":
        (folder / NATS).unlink()
    elif knows:
        put(folder, NATS, spoil(kind, *read_nats(folder / NATS)))
    else:
        (folder / NATS).write_bytes(spoil(kind, *read_nats(folder / NATS)))
    found = examined(tmp_path)
    assert NATS in "; ".join(found[record.run_key].doubts)
    assert len(found.problems) == 1
    assert found[genuine.run_key].nats() is not None
    if not knows:
        assert found[record.run_key].nats() is None


def test_nats_of_another_run_are_not_its_own(tmp_path: Path) -> None:
    record, other = add_seeds(tmp_path, "pixelcnn", 1.0, 1.0)
    blob = (folder_of(tmp_path, other) / NATS).read_bytes()
    (folder_of(tmp_path, record) / NATS).write_bytes(blob)
    assert "nats.npz is not the file that the run left" in doubts_of(tmp_path, record)[0]


def test_images_below_zero_nats_are_impossible_but_for_rounding(tmp_path: Path) -> None:
    record, genuine = add_seeds(tmp_path, "pixelcnn", 0.01, 0.011)
    for run, below in ((record, 3), (genuine, 0)):
        folder = folder_of(tmp_path, run)
        nats, clusters = read_nats(folder / NATS)
        mean = nats.mean()
        nats[:below] = -81.0
        nats[below : below + 5] = -1e-4  # a probability of 1, rounded
        nats[below + 5 :] += (mean - nats.mean()) * len(nats) / len(nats[below + 5 :])
        put(folder, NATS, nats_file(nats, clusters))
        error = clustered_standard_error(nats, clusters)
        assert error is not None
        rewrite(folder, lambda record, error=error: scored(record, bits_per_dim_se=float(bits_per_dim(error, record.task.shape))))
    assert only_doubt(tmp_path, record) == "nats.npz has 3 images below 0 nats, which no discrete model can need"


def test_fewer_images_than_were_asked_for(tmp_path: Path) -> None:
    """Half of the images, with everything else made to fit."""
    record = add_run(tmp_path, "pixelcnn", 1.0)
    whole = rekeyed(replace(record, evaluation=replace(record.evaluation, test_images=None)))
    rewrite(folder_of(tmp_path, record), lambda _: whole)
    assert only_doubt(tmp_path, whole) == "it scored 60 images, and 273 were asked for"


# The estimator.


@pytest.mark.parametrize(
    ("samples", "sold_as", "said"),
    [
        (1, "iwae-1000", "its estimator is iwae-1000, and its family's is elbo"),
        (1, "exact", "its estimator is exact, and its family's is elbo"),
        (8, "iwae-1000", "its estimator is iwae-1000, and its family's is iwae-8"),
        (8, "elbo", "its estimator is elbo, and its family's is iwae-8"),
    ],
)
def test_a_bound_sold_as_a_tighter_one(tmp_path: Path, samples: int, sold_as: str, said: str) -> None:
    record = add_run(tmp_path, "pixelvae", 0.15, task="mnist-fixed", evaluation={"importance_samples": samples})
    assert not doubts_of(tmp_path, record)
    rewrite(folder_of(tmp_path, record), lambda record: scored(record, estimator=sold_as))
    assert only_doubt(tmp_path, record) == said


# The end of the run.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: replace(record, selected_update=300), "its weights are those of update 300, and 'last' was asked for"),
        (lambda record: replace(record, cost=replace(record.cost, updates=0)), "0 updates on 16,000 images were done, and 500 on 16,000"),
        (lambda record: replace(record, cost=replace(record.cost, images_seen=1)), "500 updates on 1 images were done, and 500 on 16,000"),
        (lambda record: replace(record, cost=replace(record.cost, parameters=0)), "it was trained, with 0 parameters in 30 seconds"),
        (lambda record: replace(record, cost=replace(record.cost, train_seconds=0.0)), "it was trained, with 81,234 parameters in 0 sec"),
        (lambda record: replace(record, error=RunError("Out\x1bOfMemory", "")), r"it is done, and has an error ('Out\x1bOfMemory')"),
        (lambda record: replace(record, likelihood=None), "it is done, and has no likelihood"),
        (lambda record: replace(record, causality=Causality()), "its causality was not checked"),
        (lambda record: replace(record, status="failed"), "it failed, and no error is given"),
    ],
    ids=["selected", "updates", "images", "parameters", "seconds", "error", "likelihood", "unchecked", "failed"],
)
def test_an_end_that_the_rest_of_the_record_denies(tmp_path: Path, change: Callable[[Record], Record], said: str) -> None:
    record, _ = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    rewrite(folder_of(tmp_path, record), change)
    assert said in only_doubt(tmp_path, record)


@pytest.mark.parametrize(
    ("selected", "said"),
    [
        (None, "its weights are those of the last update, and 'best-validation' was asked for"),
        (0, "its weights are those of update 0, and 500 were asked for"),
        (501, "its weights are those of update 501, and 500 were asked for"),
    ],
)
def test_a_selection_that_cannot_be(tmp_path: Path, selected: int | None, said: str) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0, recipe={"select": "best-validation"}, selected_update=500)
    assert not doubts_of(tmp_path, record)
    rewrite(folder_of(tmp_path, record), lambda record: replace(record, selected_update=selected))
    assert only_doubt(tmp_path, record) == said


@pytest.mark.parametrize(("ends", "possible"), [((1, 500), True), ((), True), ((501,), False), ((300, 200), False), ((200, 200), False)])
def test_attempts_elsewhere_follow_each_other_within_the_updates(tmp_path: Path, ends: tuple[int, ...], possible: bool) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    earlier = tuple(Stretch(end, "cuda (NVIDIA H200)") for end in ends)
    rewrite(folder_of(tmp_path, record), lambda record: replace(record, provenance=replace(record.provenance, earlier=earlier)))
    if possible:
        assert not doubts_of(tmp_path, record)
    else:
        assert only_doubt(tmp_path, record) == f"it was trained elsewhere up to update {', '.join(map(str, ends))} of 500"


def test_a_run_that_did_not_end_well_need_not_have_made_all_updates(tmp_path: Path) -> None:
    for seed, status in enumerate(("timeout", "diverged", "interrupted", "failed")):
        add_run(tmp_path, "pixelcnn", status=status, seed=seed)
    assert examined(tmp_path).problems == []


def test_a_baseline_has_no_updates_and_a_codec_no_causality(tmp_path: Path) -> None:
    baseline, codec = add_run(tmp_path, "uniform", 4.0), add_run(tmp_path, "png", 1.7)
    updates = rekeyed(replace(baseline, budget=replace(baseline.budget, updates=500)))
    rewrite(folder_of(tmp_path, baseline), lambda _: updates)
    rewrite(folder_of(tmp_path, codec), lambda record: replace(record, causality=Causality("complete", 0.0, 1e-10)))
    assert doubts_of(tmp_path, updates) == ("it has updates to do and no recipe",)
    assert doubts_of(tmp_path, codec) == ("a codec has no causality to check",)


# Leaks.


@pytest.mark.parametrize("status", ["complete", "partial", "unchecked"])
@pytest.mark.parametrize("evidence", [{"largest_leak": 1e-9, "tolerance": 1e-10}, {"largest_leak": 0.1}, {"counter_example": "(0, 0)"}])
def test_a_leak_s_evidence_beside_another_status(tmp_path: Path, status: Any, evidence: dict[str, Any]) -> None:
    record, _ = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    rewrite(folder_of(tmp_path, record), lambda record: replace(record, causality=Causality(status, **evidence)))
    assert f"its causality is {status}, and it shows a leak" in doubts_of(tmp_path, record)[-1]
    assert len(examined(tmp_path).problems) == 1


def test_a_change_within_the_tolerance_is_no_leak(tmp_path: Path) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    rewrite(folder_of(tmp_path, record), lambda record: replace(record, causality=Causality("complete", 1e-11, 1e-10)))
    assert not doubts_of(tmp_path, record)


def test_a_leak_without_evidence_is_doubted_too(tmp_path: Path) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    rewrite(folder_of(tmp_path, record), lambda record: replace(record, causality=Causality("leaky", 0.0, 1e-10)))
    assert only_doubt(tmp_path, record) == "it is called leaky, and shows no leak"


@pytest.mark.parametrize(
    ("causality", "said"),
    [
        (
            Causality("complete", 0.0, 1e-10, faults=("lattice", "sees-itself")),
            "its causality is complete, and it names a leak (sees-itself)",
        ),
        (Causality("partial", 0.0, 1e-10, faults=("wraps-around",)), "its causality is partial, and it names a leak (wraps-around)"),
        (Causality("complete", 0.5, 1.0), "only changes above 1 (relative) were called leaks, which hides real ones"),
        (Causality("complete", 0.0, 0.01), "only changes above 0.01 (relative) were called leaks, which hides real ones"),
        (
            Causality("complete", 0.0, 1e-10, trained_positions=5000),
            "the trained model was probed at 5,000 sub-pixels, and its images have 768",
        ),
    ],
)
def test_a_search_for_leaks_that_proves_nothing(tmp_path: Path, causality: Causality, said: str) -> None:
    record, _ = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    rewrite(folder_of(tmp_path, record), lambda record: replace(record, causality=causality))
    assert only_doubt(tmp_path, record) == said


@pytest.mark.parametrize(
    "causality",
    [
        Causality("complete", 0.0, 1e-10, faults=("blind-spot", "colour-blind", "nothing-seen", "triangular-context", "carries-state")),
        Causality("complete", 0.0, 1e-10, faults=("a name of another version",)),
        Causality("complete", 1e-7, 1e-6),  # rounding of a module that computes in float32
        Causality("leaky", 0.0, 1e-10, faults=("sees-former-images",)),
        Causality("leaky", 0.3, 1e-10, faults=("sees-itself",)),
    ],
)
def test_findings_that_are_no_leak_or_are_called_one(tmp_path: Path, causality: Causality) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    rewrite(folder_of(tmp_path, record), lambda record: replace(record, causality=causality))
    assert not doubts_of(tmp_path, record)


def test_names_of_leaks_are_all_that_a_map_can_give() -> None:
    assert set(_PATTERNS) < set(OF_LEAKS)
    assert len(SENTENCES) == len(OF_LEAKS) + len(OF_STATE) + len(OF_GAPS)  # each name is of one kind
    assert not set(OF_LEAKS) & set(certificate(nothing=True).faults)
    assert set(OF_LEAKS) & set(certificate(sees_itself=True).faults)


@pytest.mark.parametrize(
    ("symptom", "said"),
    [
        ({"canvas_agreement": 0.13}, "no leak is recorded, and samples from two canvases agree on 13.0% of sub-pixels"),
        ({"sequential": 9.1}, "no leak is recorded, and it needs 9.1 bits/dim in sequence and 1 with whole images given"),
    ],
)
def test_a_leak_s_symptom_in_a_run_without_a_leak(tmp_path: Path, symptom: dict[str, Any], said: str) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0, **symptom)
    assert only_doubt(tmp_path, record) == said
    assert not doubts_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0, seed=1, causal="leaky", **symptom))


def test_what_two_canvases_and_two_scores_may_differ_by(tmp_path: Path) -> None:
    """A few images are no split, and one draw on the edge of rounding moves what is drawn after it."""
    assert not doubts_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0, canvas_agreement=0.95, sequential=1.2))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"sees_itself": True, "shape": (1, 8, 8)}, "certificate.json shows a leak, and the record says complete"),
        ({"shape": (1, 3, 4)}, "certificate.json is of images 1x3x4"),
    ],
)
def test_a_certificate_that_says_otherwise(tmp_path: Path, made: dict[str, Any], said: str) -> None:
    own = certificate_file(certificate(shape=(1, 8, 8)))
    record, genuine = (add_run(tmp_path, "pixelcnn", 2.0, task="digits", seed=seed, files={CERTIFICATE: own}) for seed in (0, 1))
    assert not doubts_of(tmp_path, record)
    put(folder_of(tmp_path, record), CERTIFICATE, certificate_file(certificate(**made)))
    assert only_doubt(tmp_path, record) == said
    assert not doubts_of(tmp_path, genuine)


@pytest.mark.parametrize(("status", "doubted"), [("complete", True), ("partial", False)])
def test_a_certificate_that_is_no_complete_map(tmp_path: Path, status: str, doubted: bool) -> None:
    part = certificate_file(replace(certificate(shape=(1, 8, 8)), complete=False, positions_probed=60))
    record = add_run(tmp_path, "pixelcnn", 2.0, task="digits", causal=status, files={CERTIFICATE: part})
    said = f"{CERTIFICATE} is no complete map, and the record says complete"
    assert doubts_of(tmp_path, record) == ((said,) if doubted else ())


# Clusters of the first schema.


def add_regions(store: Path, schema: int) -> Record:
    """A run on photographs as the first schema kept it: clusters are regions, the error is over them."""
    record = add_run(store, "pixelcnn", 1.0)
    folder, regions = folder_of(store, record), np.repeat([7, 8, 9, 13, 14, 15], 10)
    nats, _ = read_nats(folder / NATS)
    put(folder, NATS, nats_file(nats.astype(np.float32), regions))
    error = clustered_standard_error(nats, regions)
    assert error is not None
    stated: dict[str, Any] = {"n_clusters": 6, "bits_per_dim_se": float(bits_per_dim(error, record.task.shape))}
    rewrite(folder, lambda record: scored(record, **stated))
    if schema == 1:
        as_schema_1(folder)
    return record


def test_photographs_are_the_units_of_runs_that_kept_regions(tmp_path: Path) -> None:
    record = add_regions(tmp_path, 1)
    found = examined(tmp_path)
    run = found[record.run_key]
    assert (found.problems, run.doubts) == ([], ())
    kept = run.nats()
    assert kept is not None
    nats, units = kept
    assert np.array_equal(units, np.repeat([0, 10], 30))
    error = clustered_standard_error(nats, units)
    assert error is not None
    likelihood = run.record.likelihood
    assert likelihood is not None
    assert (likelihood.n_clusters, likelihood.bits_per_dim) == (2, 1.0)
    assert likelihood.bits_per_dim_se == pytest.approx(bits_per_dim(error, (3, 16, 16)))
    assert run.record.spec.key == run.record.run_key == record.run_key


def test_units_of_the_present_schema_are_what_they_are(tmp_path: Path) -> None:
    """The same numbers, but for the schema: nothing is relabelled twice, and nothing that was not asked for."""
    record = add_regions(tmp_path, 2)
    run = examined(tmp_path)[record.run_key]
    kept = run.nats()
    assert kept is not None
    assert np.array_equal(kept[1], np.repeat([7, 8, 9, 13, 14, 15], 10))
    assert run.record.likelihood is not None
    assert run.record.likelihood.n_clusters == 6


def test_of_other_tasks_no_cluster_is_relabelled(tmp_path: Path) -> None:
    record = add_run(tmp_path, "pixelcnn", 2.0, task="digits")
    before = examined(tmp_path)[record.run_key]
    as_schema_1(before.folder)
    after = examined(tmp_path)[record.run_key]
    assert after.record.likelihood == before.record.likelihood
    assert np.array_equal(after.nats()[1], before.nats()[1])  # type: ignore[index]


def test_relabelling_twice_is_relabelling_once() -> None:
    regions = np.arange(58)
    assert np.array_equal(photograph_of(photograph_of(regions)), photograph_of(regions))


def test_a_region_that_no_photograph_has_is_damage_and_never_fatal(tmp_path: Path) -> None:
    record = add_regions(tmp_path, 2)
    folder = folder_of(tmp_path, record)
    nats, _ = read_nats(folder / NATS)
    put(folder, NATS, nats_file(nats.astype(np.float32), np.arange(60) // 10 + 900))
    error = clustered_standard_error(nats, np.arange(60) // 10)
    assert error is not None
    rewrite(folder, lambda record: scored(record, bits_per_dim_se=float(bits_per_dim(error, record.task.shape))))
    as_schema_1(folder)
    assert examined(tmp_path)[record.run_key].nats() is None


def test_one_run_that_does_not_add_up_changes_nothing_about_the_others(tmp_path: Path) -> None:
    latent = LatentUse(4.2, (4.2,), 3, 16)
    add_photos(tmp_path)
    add_run(tmp_path, "pixelvae", 0.15, task="mnist-fixed", latent=latent)
    spoilt = add_run(tmp_path, "spoilt", 0.9, settings={"layers": 9})
    before = examined(tmp_path)
    rewrite(folder_of(tmp_path, spoilt), lambda record: replace(record, likelihood=Likelihood(0.1, 1.0, 60)))
    after = examined(tmp_path)
    assert after.pop(spoilt.run_key).doubts
    del before[spoilt.run_key]
    assert dict(after) == dict(before)
