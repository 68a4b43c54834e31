"""The files beside a record: what is whole, what is damaged, and when one is read again."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelbench.store import cache
from pixelbench.store.artifacts import CERTIFICATE, CURVE, NATS, SAMPLES, WEIGHTS, read_nats, read_summary
from pixelbench.store.curve_file import packed_curve, read_curve
from pixelbench.store.record import Record
from pixelbench.store.scan import Scan, scan
from tests.support.certificate_factory import certificate, certificate_file
from tests.support.damaged_files import CERTIFICATES, CURVES, GOOD, HEADER, NATS_FILES
from tests.support.record_factory import add_run, add_seeds, as_schema_1, folder_of, nats_file, rewrite

pytestmark = pytest.mark.quick


def fault(path: Path, blob: bytes) -> str:
    path.write_bytes(blob)
    return read_summary(path).fault


@pytest.mark.parametrize(
    ("name", "blobs"),
    [(CURVE, CURVES), (CERTIFICATE, CERTIFICATES), (NATS, NATS_FILES)],
    ids=["curve", "certificate", "nats"],
)
def test_every_kind_of_damage_is_one_short_sentence(tmp_path: Path, name: str, blobs: dict[str, bytes]) -> None:
    for kind, blob in blobs.items():
        said = fault(tmp_path / name, blob)
        assert said.startswith("is damaged ("), kind
        assert len(said) < 150
        assert said.isprintable()


def test_what_is_whole_is_no_damage(tmp_path: Path) -> None:
    assert fault(tmp_path / CURVE, HEADER + b"0,4.5,\n10,,3.5\n") == ""
    assert read_curve(tmp_path / CURVE) == [(0, 4.5, None), (10, None, 3.5)]
    assert packed_curve(read_curve(tmp_path / CURVE)) == (tmp_path / CURVE).read_bytes()
    assert fault(tmp_path / CURVE, HEADER) == ""
    assert read_curve(tmp_path / "none.csv") == []
    assert fault(tmp_path / CERTIFICATE, certificate_file(certificate(sees_itself=True))) == ""
    summary = read_summary(tmp_path / CERTIFICATE)
    assert (summary.status, summary.shape) == ("leaky", (1, 3, 4))
    for nats in (GOOD[0], GOOD[0].astype(np.float64)):
        assert fault(tmp_path / NATS, nats_file(nats, GOOD[1])) == ""
    values, clusters = read_nats(tmp_path / NATS)
    assert values.dtype == np.float64
    assert np.array_equal(clusters, GOOD[1])


def test_means_of_float32_nats_are_taken_in_float64(tmp_path: Path) -> None:
    """In float32 the mean of 100,000 equal numbers is not that number."""
    (tmp_path / NATS).write_bytes(nats_file(np.full(100_000, 0.1, np.float32), np.arange(100_000)))
    summary = read_summary(tmp_path / NATS).nats
    assert summary is not None
    assert summary.mean == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_one_flipped_bit_anywhere_in_the_nats_is_found(tmp_path: Path) -> None:
    """By the archive alone, with no digest in the record to help: runs of the first schema have none."""
    path, whole = tmp_path / NATS, nats_file(*GOOD)
    path.write_bytes(whole)
    before = read_summary(path)
    for place in range(0, len(whole), 3):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place * 5 % 8)
        path.write_bytes(flipped)
        now = read_summary(path)
        assert now.fault or now.nats == before.nats, place


def test_a_file_beyond_all_bounds_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / CURVE).open("wb") as file:
        file.truncate((8 << 20) + 1)
    assert read_summary(tmp_path / CURVE).fault == "has more than 8 MB"


@pytest.mark.parametrize("kind", ["a link to nowhere", "a link to itself", "a device without end", "a pipe", "a folder"])
def test_what_is_no_file_hides_none_of_the_others_and_is_never_waited_for(tmp_path: Path, kind: str) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    path = folder_of(tmp_path, record) / CURVE
    path.unlink()
    links = {"a link to nowhere": "none", "a link to itself": CURVE, "a device without end": "/dev/zero"}
    if kind in links:
        path.symlink_to(links[kind])
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    found = scan(tmp_path).examine()
    assert (found[record.run_key].doubts, list(found[record.run_key].damaged)) == ((), [CURVE])
    (problem,) = found.problems
    assert problem.startswith(f"{path} cannot be read (")


SPOILT = {CURVE: b"no curve", CERTIFICATE: b"{", SAMPLES: b"no picture", WEIGHTS: b"no weights"}


@pytest.mark.parametrize("name", SPOILT)
@pytest.mark.parametrize("schema", [1, 2])
def test_what_is_no_evidence_of_the_number_costs_only_itself(tmp_path: Path, name: str, schema: int) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0, task="digits", files={CERTIFICATE: certificate_file(certificate(shape=(1, 8, 8)))})
    folder = folder_of(tmp_path, record)
    if schema == 1:
        as_schema_1(folder)
    assert scan(tmp_path).examine().problems == []
    (folder / name).write_bytes(SPOILT[name])
    found = scan(tmp_path).examine()
    run = found[record.run_key]
    assert run.doubts == ()
    named = name in (CURVE, CERTIFICATE) or (schema == 2 and name == SAMPLES)  # of pictures and weights a digest alone tells damage
    assert (name in run.damaged) == named
    assert (run.artifact(name) is None) == named
    assert all(run.artifact(other) for other in (NATS, CURVE, CERTIFICATE, SAMPLES) if other != name)
    assert len(found.problems) == named
    assert all(f"{folder / name} is " in problem and problem.endswith("; it is left out.") for problem in found.problems)


@pytest.mark.parametrize("name", [CURVE, SAMPLES])
def test_a_file_that_the_record_names_and_is_gone_is_said(tmp_path: Path, name: str) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    (folder_of(tmp_path, record) / name).unlink()
    found = scan(tmp_path).examine()
    assert found[record.run_key].doubts == ()
    assert found.problems == [f"{folder_of(tmp_path, record) / name} is missing, and the record says that the run left it; it is left out."]


def test_a_file_that_the_record_does_not_name_is_not_missed(tmp_path: Path) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    as_schema_1(folder_of(tmp_path, record))
    (folder_of(tmp_path, record) / CURVE).unlink()
    found = scan(tmp_path).examine()
    assert (found.problems, found[record.run_key].damaged) == ([], {})


# Read once while size and time stand.


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two runs whose files have stood for an hour."""
    add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    for path in tmp_path.rglob("*.*"):
        stand(path, 3600)
    return tmp_path


def stand(path: Path, seconds: float) -> None:
    """Puts the last change of a file into the past."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were really read."""
    paths: list[Path] = []
    genuine = cache.read_summary
    monkeypatch.setattr(cache, "read_summary", lambda path: [paths.append(path), genuine(path)][1])
    return paths


def reads(read: list[Path], store: Path, **options: Any) -> list[str]:
    read.clear()
    scan(store, **options).examine()
    return sorted(path.name for path in read)


EVERY = sorted(2 * [CURVE, NATS, SAMPLES])


def test_a_file_is_not_read_again_while_size_and_time_stand(store: Path, read: list[Path]) -> None:
    assert reads(read, store) == EVERY
    assert reads(read, store) == []


def test_a_file_is_read_again_when_its_time_or_its_size_changes(store: Path, read: list[Path]) -> None:
    reads(read, store)
    path = next(store.rglob(CURVE))
    stand(path, 5)
    assert reads(read, store) == [CURVE]
    assert reads(read, store) == []
    status = path.stat()
    path.write_bytes(path.read_bytes() + b"999999,1.0,\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert reads(read, store) == [CURVE]


def test_a_file_that_has_just_changed_is_not_believed_to_stand(store: Path, read: list[Path]) -> None:
    """It could change once more within the same tick of the clock."""
    reads(read, store)
    path = next(store.rglob(NATS))
    os.utime(path)
    assert reads(read, store) == [NATS]
    assert reads(read, store) == [NATS]


def test_to_ignore_the_cache_is_to_find_what_it_hides(store: Path, read: list[Path]) -> None:
    reads(read, store)
    path = next(store.rglob(NATS))
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert scan(store).examine().problems == []
    assert reads(read, store, cached=False) == EVERY
    assert len(scan(store, cached=False).examine().problems) == 1


def test_what_is_found_is_the_same_with_and_without_a_cache(store: Path) -> None:
    (next(store.rglob(CURVE))).write_bytes(b"no curve")
    stand(next(store.rglob(CURVE)), 100)
    seen: Callable[[Scan], Any] = lambda found: ({key: (run.doubts, run.damaged) for key, run in found.items()}, found.problems)  # noqa: E731
    first, second = seen(scan(store).examine()), seen(scan(store).examine())
    assert first == second == seen(scan(store, cached=False).examine())
    assert first[1]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"rules": 1}', b'{"rules": 1, "files": 3}', b'{"rules": 0, "files": {}}', b"[" * 100_000],
)
def test_a_cache_of_garbage_only_costs_time(store: Path, read: list[Path], content: bytes) -> None:
    reads(read, store)
    (store / "work" / "examined.json").write_bytes(content)
    assert reads(read, store) == EVERY
    assert reads(read, store) == []


@pytest.mark.parametrize("step", [-1, 1])
def test_what_was_found_by_other_rules_is_not_believed(store: Path, read: list[Path], step: int) -> None:
    """Of an earlier or a later version: it may have looked for less."""
    reads(read, store)
    path = store / "work" / "examined.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document | {"rules": document["rules"] + step}))
    assert reads(read, store) == EVERY
    assert reads(read, store) == []


def test_records_and_their_keys_are_the_same_with_and_without_a_cache(store: Path) -> None:
    scan(store).examine()
    cached, fresh = scan(store), scan(store, cached=False)
    for key, run in fresh.items():
        assert cached[key].record == run.record
        assert (cached[key].record.spec.key, cached[key].record.spec.cell_key) == (run.record.spec.key, run.record.spec.cell_key)


@pytest.mark.parametrize("value", [None, 3, [], [1, 2], {"a": 1}, "whole"])
def test_an_entry_of_garbage_costs_only_its_file(store: Path, read: list[Path], value: Any) -> None:
    reads(read, store)
    path = store / "work" / "examined.json"
    document = json.loads(path.read_bytes())
    name = next(name for name in document["files"] if name.endswith(NATS))
    stamp = document["files"][name][:2]
    document["files"][name] = [*stamp, {"sha256": 3, "nats": value}] if value == "whole" else value
    path.write_text(json.dumps(document))
    assert reads(read, store) == [NATS]
    assert reads(read, store) == []


def test_a_cache_that_cannot_be_written_costs_nothing_else(store: Path, read: list[Path]) -> None:
    (store / "work").write_bytes(b"a file in the way")
    assert reads(read, store) == EVERY
    assert reads(read, store) == EVERY
    assert scan(store).examine().problems == []


def test_the_record_is_always_read(store: Path) -> None:
    """Only files beside it are remembered: an edited record is found at once."""
    scan(store).examine()
    run = next(iter(scan(store).values()))

    def better(record: Record) -> Record:
        assert record.likelihood is not None
        return replace(record, likelihood=replace(record.likelihood, n_clusters=59))

    rewrite(run.folder, better)
    stand(run.folder / "record.json", 3600)
    assert len(scan(store).examine().problems) == 1
