"""Measurements come back as they were written; whatever else lies there is named and hurts nobody."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.errors import UserError
from pixelbench.store.documents.bench_records import newest, read_speed, read_speeds, write_speed
from pixelbench.store.scan import scan
from tests.support.speed_records import SUBJECT, speed_record


def test_a_record_comes_back(tmp_path: Path):
    record = speed_record()
    path = write_speed(tmp_path, record)
    assert path.parent == tmp_path / "bench"
    assert read_speed(path) == record
    assert read_speeds(tmp_path) == ([record], [])


def test_measuring_again_replaces_only_a_file_of_the_same_commit_device_and_subject(tmp_path: Path):
    first = speed_record()
    again = speed_record(1, measured="2026-11-30T00:00:00+00:00")
    others = [
        replace(first, git_commit="1" * 40),
        replace(first, device="cpu (Another)"),
        replace(first, threads=1),
        replace(first, subject=replace(SUBJECT, settings={"layers": 3})),
        replace(first, versions={"torch": "2.12.0"}),
    ]
    for record in (first, again, *others):
        write_speed(tmp_path, record)
    found, _ = read_speeds(tmp_path)
    assert len(found) == 6
    assert first not in found
    assert len({record.place for record in found}) == 4  # commit and torch are when, not what or where
    assert again in newest(found)


@pytest.mark.parametrize("seconds", [1e-320, 1e308])
def test_no_time_is_so_short_or_long_that_a_rate_is_no_number(tmp_path: Path, seconds: float):
    with pytest.raises(ValueError, match=r"timings\.sampling\.seconds\.0"):
        write_speed(tmp_path, speed_record(machine=seconds, noise=0.0, rounds=1))
    assert read_speeds(tmp_path) == ([], [])


@pytest.mark.parametrize("machine", [1e-9, 1e6])
def test_fast_and_slow_machines_are_recorded(tmp_path: Path, machine: float):
    record = speed_record(machine=machine)
    assert read_speed(write_speed(tmp_path, record)) == record


def damaged(path: Path) -> list[bytes]:
    """What may become of a file."""
    blob = path.read_bytes()
    document = json.loads(blob)
    edited = json.dumps({**document, "threads": 64}).encode()
    newer = json.dumps({**document, "schema": 2}).encode()
    flipped = bytearray(blob)
    flipped[len(blob) // 2] ^= 1
    return [b"", b"[]", b"\xff\xfe", blob[: len(blob) // 2], edited, newer, bytes(flipped), b"[" * 100_000, b'{"schema": 1}']


@pytest.mark.parametrize("fault", range(9))
def test_a_damaged_file_is_named_in_one_sentence_and_the_others_are_read(tmp_path: Path, fault: int):
    sound = write_speed(tmp_path, speed_record())
    other = write_speed(tmp_path, speed_record(threads=1))
    other.write_bytes(damaged(sound)[fault] if fault != 4 else damaged(other)[4])
    with pytest.raises(UserError) as refused:
        read_speed(other)
    assert str(refused.value).startswith(str(other))
    assert "\n" not in str(refused.value)
    records, problems = read_speeds(tmp_path)
    assert records == [speed_record()]
    assert problems == [str(refused.value)]


def test_a_missing_file_is_one_sentence(tmp_path: Path):
    with pytest.raises(UserError, match=r"nothing\.json cannot be read"):
        read_speed(tmp_path / "nothing.json")


def test_measurements_are_no_runs(tmp_path: Path):
    write_speed(tmp_path, speed_record())
    found = scan(tmp_path)
    assert dict(found) == {}
    assert found.problems == []
