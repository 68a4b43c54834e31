"""Reading, writing and scanning records; damage is reported and never fatal."""

import json
import math
from pathlib import Path

import pytest
from store_samples import make_record, make_spec

from pixelbench.errors import UserError
from pixelbench.store import RecordError, RunSpec, read_record, require_store, run_folder, scan, write_record
from pixelbench.store.frame import COLUMNS, load_results


@pytest.fixture
def spec() -> RunSpec:
    return make_spec()


def store_run(store: Path, spec: RunSpec, **changes: object) -> Path:
    folder = run_folder(store, spec)
    write_record(folder, make_record(spec, **changes))
    return folder


def test_round_trip(tmp_path: Path, spec: RunSpec) -> None:
    folder = store_run(tmp_path, spec)
    assert folder == tmp_path / "digits" / "gated-pixelcnn" / spec.key
    assert read_record(folder) == make_record(spec)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "fine"}, "status 'fine'"),
        ({"seed": "0"}, "'seed' is '0'"),
        ({"cost": {"seconds": 1.0}}, "'cost.parameters' is missing"),
        ({"causality": None}, "'causality' is None"),
        ({"likelihood": {}}, "'likelihood.bits_per_dim' is missing"),
        ({"seed": True}, "'seed' is True"),
        ({"diagnoses": ["black"]}, "'diagnoses' has an entry without a name"),
        ({"samples": {"statistics": {"zeros": "x"}}}, "'samples.statistics.zeros' is no number"),
        ({"latent": {"kl": 1.0}}, "'latent.kl_per_dimension' is missing"),
        ({"latent": {"kl": 1.0, "kl_per_dimension": ["1"], "active_units": 1, "dimensions": 1}}, "has an entry that is no number"),
    ],
)
def test_an_unsound_record_is_not_written(tmp_path: Path, spec: RunSpec, change: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        write_record(tmp_path, make_record(spec, **change))
    assert not any(tmp_path.iterdir())


def test_a_record_from_before_latent_families_is_read(tmp_path: Path, spec: RunSpec) -> None:
    folder = store_run(tmp_path, spec)
    old = {name: value for name, value in make_record(spec).items() if name != "latent"}
    (folder / "record.json").write_text(json.dumps(old))
    assert read_record(folder) == make_record(spec)


def test_no_nan_in_a_record(tmp_path: Path, spec: RunSpec) -> None:
    record = make_record(spec)
    record["cost"]["seconds"] = math.nan
    with pytest.raises(ValueError, match="JSON"):
        write_record(tmp_path, record)


def test_scan_reports_damage_and_keeps_the_rest(tmp_path: Path, spec: RunSpec) -> None:
    sound = store_run(tmp_path, spec)
    damaged = [store_run(tmp_path, make_spec(seed=seed)) / "record.json" for seed in range(1, 6)]
    damaged[0].write_bytes(b"")
    damaged[1].write_bytes(damaged[1].read_bytes()[:100])
    damaged[2].write_text("[1, 2]")
    damaged[3].write_bytes(b"\xff\xfe\x00")
    damaged[4].write_text(damaged[4].read_text().replace('"seconds": 12.5', '"seconds": NaN'))
    (tmp_path / "digits" / "gated-pixelcnn" / "under-way" / "work").mkdir(parents=True)
    (tmp_path / "work" / "locks" / "a").mkdir(parents=True)
    (tmp_path / "report.md").write_text("a report")
    found = scan(tmp_path)
    assert [run.folder for run in found.values()] == [sound]
    assert len(found.problems) == 5
    assert all(str(path) in " ".join(found.problems) for path in damaged)
    assert found.unusable == {path.parent: False for path in damaged}
    assert all(path.exists() for path in damaged)


def test_a_newer_schema_is_said_clearly(tmp_path: Path, spec: RunSpec) -> None:
    path = store_run(tmp_path, spec) / "record.json"
    path.write_text(json.dumps({"schema": 2, "something": "else"}))
    with pytest.raises(RecordError, match=r"schema 2, newer than the 1 that this version knows; update PixelBench to read it\.$"):
        read_record(path.parent)
    assert scan(tmp_path).unusable == {path.parent: True}


def test_the_same_run_twice_is_reported(tmp_path: Path, spec: RunSpec) -> None:
    store_run(tmp_path, spec)
    store_run(tmp_path, make_spec(variant="other-name"))
    found = scan(tmp_path)
    assert list(found) == [spec.key]
    assert "same run" in found.problems[0]


def test_scan_of_nothing_and_of_a_file(tmp_path: Path) -> None:
    assert scan(tmp_path / "none") == {}
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        scan(tmp_path / "file")


def test_require_store_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert require_store(tmp_path / "results") == tmp_path / "results"
    with pytest.raises(UserError, match=r"Did you mean '.*/results'"):
        require_store(tmp_path / "result")


def test_frame_is_tidy(tmp_path: Path) -> None:
    store_run(tmp_path, make_spec(seed=1))
    store_run(tmp_path, make_spec(seed=0), status="failed", likelihood=None, samples=None, diagnoses=[])
    frame = load_results(tmp_path)
    assert list(frame.columns) == list(COLUMNS)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == COLUMNS
    assert list(frame.seed) == [0, 1]
    assert math.isnan(frame.bits_per_dim[0])
    assert frame.n_images.isna().tolist() == [True, False]
    assert frame.iloc[1][["bits_per_dim", "zeros", "causal", "levels"]].tolist() == [1.9, 0.4, "complete", 17]
    assert frame.diagnoses.tolist() == ["", "black-samples, uncoordinated-colours"]
    assert frame.folder[1] == f"digits/gated-pixelcnn/{make_spec(seed=1).key}"


def test_frame_of_an_empty_store(tmp_path: Path) -> None:
    frame = load_results(tmp_path)
    assert len(frame) == 0
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == COLUMNS


def test_load_results_warns_of_damage(tmp_path: Path, spec: RunSpec) -> None:
    (store_run(tmp_path, spec) / "record.json").write_text("{")
    with pytest.warns(UserWarning, match="is damaged"):
        assert len(load_results(tmp_path)) == 0


def test_loading_two_thousand_records(benchmark, tmp_path: Path) -> None:
    """Recorded, not asserted: a second is what a report of so many runs may cost."""
    for seed in range(2000):
        spec = make_spec(seed=seed)
        folder = run_folder(tmp_path, spec)
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(make_record(spec)))  # not fsynced, for speed
    frame = benchmark.pedantic(load_results, (tmp_path,), rounds=2, iterations=1)
    assert len(frame) == 2000
    assert frame["cell"].nunique() == 1
