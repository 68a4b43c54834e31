"""Measurements beside records: whole and of this run, or named and left out; never a reason to doubt the run, and never part of its key."""

import hashlib
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.evaluation.measures import Value
from pixelbench.store.artifacts import WEIGHTS, remove_others
from pixelbench.store.documents.measurements import QUALITY, Measurement, Measurements, parse_measurements, write_measurements
from pixelbench.store.frame import load_results
from pixelbench.store.record import Record
from pixelbench.store.record_file import run_folder
from pixelbench.store.scan import Scan, scan
from tests.support.measured_runs import measurement
from tests.support.record_factory import add_run, rewrite

pytestmark = pytest.mark.quick


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return add_run(tmp_path, "gated-pixelcnn", 2.0)


def examined(store: Path) -> Scan:
    return scan(store).examine()


def keep(store: Path, record: Record, change: Callable[[Measurements], Measurements] = lambda found: found) -> Path:
    folder = run_folder(store, record.spec)
    write_measurements(folder, change(Measurements(record.run_key, None, (measurement(),))))
    return folder / QUALITY


def test_they_are_read_as_they_were_written_and_change_nothing_else(tmp_path: Path, record: Record) -> None:
    before = examined(tmp_path)[record.run_key]
    keep(tmp_path, record)
    found = examined(tmp_path)
    run = found[record.run_key]
    assert (before.measured, run.measured) == ((), (measurement(),))
    assert (run.record, run.doubts, dict(run.damaged), found.problems) == (before.record, (), {}, [])
    assert run.record.spec.key == record.run_key


def test_they_are_read_from_the_cache_too(tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(keep(tmp_path, record), (1e9, 1e9))
    assert examined(tmp_path)[record.run_key].measured == (measurement(),)
    monkeypatch.setattr("pixelbench.store.artifacts.parse_measurements", lambda blob: pytest.fail("read again"))
    assert examined(tmp_path)[record.run_key].measured == (measurement(),)


def test_those_of_another_run_are_named_and_left_out(tmp_path: Path, record: Record) -> None:
    path = keep(tmp_path, record, lambda found: replace(found, run_key="0123456789ab"))
    found = examined(tmp_path)
    assert found.problems == [f"{path} is of run 0123456789ab; it is left out."]
    assert (found[record.run_key].measured, found[record.run_key].doubts) == ((), ())


def test_those_of_other_weights_are_named_and_left_out(tmp_path: Path, record: Record) -> None:
    path = keep(tmp_path, record)
    (path.parent / WEIGHTS).write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    rewrite(path.parent, lambda found: replace(found, artifacts={**found.artifacts, WEIGHTS: digest}))
    run = examined(tmp_path)[record.run_key]
    assert dict(run.damaged) == {QUALITY: "is of other weights than the run left"}
    assert run.measured == ()


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path, record: Record) -> None:
    path = keep(tmp_path, record)
    whole = path.read_bytes()
    for place in range(0, len(whole), 37):
        blob = bytearray(whole)
        blob[place] ^= 1 << (place % 7)
        try:
            same = parse_measurements(bytes(blob)) == parse_measurements(whole)
        except ValueError:
            continue
        assert same, place  # white space and the like
    path.write_bytes(whole.replace(b"0.5", b"0.6", 1))
    assert any(QUALITY in problem and "digest" in problem for problem in scan(tmp_path, cached=False).examine().problems)


@pytest.mark.parametrize("blob", [b"", b"[]", b"{}", b"\xff", b'{"sha256": 1}'])
def test_what_is_none_is_named(tmp_path: Path, record: Record, blob: bytes) -> None:
    path = keep(tmp_path, record)
    path.write_bytes(blob)
    found = examined(tmp_path)
    assert len(found.problems) == 1
    assert "is damaged" in found.problems[0]
    assert found[record.run_key].doubts == ()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Value(0.5, -1.0), "greater than or equal to 0"),
        (Value(1e308, 1.0), "less than or equal to 1000"),
        (Value(0.5, 0.0), None),
        (Value(-3.0), None),
    ],
)
def test_an_error_is_not_below_zero_and_no_value_beyond_all_bounds(tmp_path: Path, record: Record, value: Value, said: str | None) -> None:
    """The digest is right, as of somebody who knows the format."""
    keep(tmp_path, record, lambda found: replace(found, measured=(replace(measurement(), values={"kid": value}),)))
    problems = examined(tmp_path).problems
    assert len(problems) == (said is not None)
    assert said is None or said in problems[0]


def test_they_are_no_column_and_no_warning_of_the_tidy_table(tmp_path: Path, record: Record) -> None:
    keep(tmp_path, record)
    with warnings.catch_warnings(action="error"):
        assert len(load_results(tmp_path)) == 1


def test_a_run_that_is_executed_again_loses_them(tmp_path: Path, record: Record) -> None:
    path = keep(tmp_path, record)
    remove_others(path.parent, record.artifacts)
    assert not path.exists()


def merged(*more: Measurement) -> tuple[Measurement, ...]:
    found = Measurements("0123456789ab", None, (measurement(),))
    for one in more:
        found = found.with_measurement(one)
    return found.measured


def test_other_settings_stand_beside_each_other_in_one_order() -> None:
    others = [measurement(features="pixels"), measurement(seed=1), measurement(requested=5000)]
    assert merged(*others) == merged(*reversed(others))
    assert len(merged(*others)) == 4


def test_the_same_settings_replace_and_a_new_measure_is_added() -> None:
    (both,) = merged(replace(measurement(), values={"new": Value(1.0, 0.1), "kid": Value(7.0, 0.1)}, floor={"new": Value(2.0, 0.1)}))
    assert both.values == {**measurement().values, "new": Value(1.0, 0.1), "kid": Value(7.0, 0.1)}
    assert both.floor == {**measurement().floor, "new": Value(2.0, 0.1)}
    assert both.controls == measurement().controls


def test_values_of_fewer_images_are_not_mixed_with_those_of_more() -> None:
    (only,) = merged(replace(measurement(), n=100, values={"kid": Value(7.0, 0.1)}))
    assert only.values == {"kid": Value(7.0, 0.1)}
