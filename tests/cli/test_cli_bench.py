"""`bench` on the command line: what is measured is kept, shown and held against what was measured before."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelbench.experiments.bench import own_process
from pixelbench.store.documents.bench_records import read_speeds, write_speed
from tests.cli.cli_stores import Pixelbench, only_json
from tests.support.speed_records import speed_record

Asked = list[tuple[Any, str, float]]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Measurements of no time; what was asked for."""
    asked: Asked = []

    def measure_alone(named: Any, device: str, seconds: float, progress: Any) -> Any:
        asked.append((named, device, seconds))
        progress("building", 0, 0)
        return replace(speed_record(len(asked)), name=named.name, subject=named.subject)

    monkeypatch.setattr(own_process, "measure_alone", measure_alone)
    return asked


def test_families_are_measured_kept_and_shown(pixelbench: Pixelbench, measured: Asked, tmp_path: Path) -> None:
    code, out, err = pixelbench("bench", "fvsbn", "made", "--shape", "1,6,5", "--seconds", "2", "--batch", "8", "--device", "cpu")
    assert code == 0
    assert [(named.name, named.subject.shape, named.subject.batch, device, seconds) for named, device, seconds in measured] == [
        ("fvsbn", (1, 6, 5), 8, "cpu", 2.0),
        ("made", (1, 6, 5), 8, "cpu", 2.0),
    ]
    records, problems = read_speeds(tmp_path / "runs")
    assert ([record.name for record in records], problems) == (["fvsbn", "made"], [])
    assert "training, images/s" in out
    assert "bench: 2 of 2, made" in err
    assert err.count("Measured: runs/bench/") == 2


def test_a_suite_is_measured_and_json_is_one_document(pixelbench: Pixelbench, measured: Asked) -> None:
    code, out, _ = pixelbench("bench", "quick", "--only", "digits/gated-pixelcnn", "--json")
    document = only_json(out)
    assert code == 0
    assert [record["name"] for record in document["records"]] == ["digits/gated-pixelcnn"]
    assert document["records"][0]["figures"]["training"]["unit"] == "images/s"
    assert document["against"] == []


def test_a_regression_ends_with_4_and_none_with_0(pixelbench: Pixelbench, measured: Asked, tmp_path: Path) -> None:
    assert pixelbench("bench", "fvsbn")[0] == 0
    (record,), _ = read_speeds(tmp_path / "runs")
    before, fast = tmp_path / "before", tmp_path / "fast"
    same = write_speed(before, replace(record, measured="2026-01-01"))
    quicker = replace(speed_record(9, slower={"training": 0.5}), subject=record.subject)
    write_speed(fast, quicker)
    assert pixelbench("bench", "fvsbn", "--against", str(same))[0] == 0
    code, out, err = pixelbench("bench", "fvsbn", "--against", str(fast / "bench"), "--json")
    assert code == 4
    slower = [change for change in json.loads(out)["against"] if change["verdict"] == "slower"]
    assert [change["action"] for change in slower] == ["training"]
    assert err.endswith(f"1 regression beyond noise, against '{fast / 'bench'}'.\n")


def test_nothing_comparable_ends_with_3(pixelbench: Pixelbench, measured: Asked, tmp_path: Path) -> None:
    path = write_speed(tmp_path / "before", speed_record())
    code, _, err = pixelbench("bench", "fvsbn", "--against", str(path))
    assert code == 3
    assert "nothing was compared" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fvsbm"], "Unknown family or suite 'fvsbm'. Did you mean 'fvsbn'?"),
        (["fvsbn", "--only", "x"], "'fvsbn' is a family"),
        (["quick", "--shape", "1,4,4"], "'quick' is a suite"),
        (["fvsbn", "--shape", "1,x"], "1,x"),
        (["fvsbn", "--set", "maps=3"], "Unknown setting of fvsbn"),
        (["fvsbn", "--device", "cuda:77"], "cuda:77"),
        (["fvsbn", "--against", "nothing.json"], "nothing.json cannot be read"),
        (["fvsbn", "--results", "a-file"], "a-file"),
        (["fvsbn", "--levels", "256"], "2 levels"),
        (["fvsbn", "--seconds", "0"], "--seconds"),
        ([], "FAMILY|SUITE"),
    ],
)
def test_wrong_use_is_one_sentence_and_nothing_is_measured(
    pixelbench: Pixelbench, measured: Asked, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "a-file").write_text("")
    code, out, err = pixelbench("bench", *arguments)
    assert (code, out, measured) == (2, "", [])
    assert said in err
    assert err.count("\n") == 1


def test_a_damaged_file_of_before_is_named(pixelbench: Pixelbench, measured: Asked, tmp_path: Path) -> None:
    folder = tmp_path / "before"
    write_speed(folder, speed_record())
    (folder / "bench" / "odd.json").write_text("{}")
    assert pixelbench("bench", "fvsbn", "--against", str(folder / "bench" / "odd.json"))[0] == 2
    code, _, err = pixelbench("bench", "fvsbn", "--against", str(folder / "bench"))
    assert code == 3
    assert "Not used:" in err
    assert "odd.json is no sound measurement" in err
