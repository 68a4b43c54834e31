"""What is known of the code that made a stored run: without torch, and never more than somebody has looked at."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelbench.experiments.code_digest import code_digest
from pixelbench.experiments.verify import staleness
from pixelbench.experiments.verify.staleness import KnownCode
from pixelbench.store.record import Record
from tests.support.ended_run import end
from tests.support.fingerprints import made_up_fingerprint
from tests.support.quick_run import spec_of

SPEC = spec_of("digits/gated-pixelcnn", "quick")
ONE, OTHER = made_up_fingerprint(1.0), made_up_fingerprint(2.0)


def made(store: Path, **fields: Any) -> Record:
    return end(store, SPEC, **{"source": "0123", "behaviour": ONE, **fields})


def test_the_same_code_is_current_without_a_look_at_what_it_computes(tmp_path: Path) -> None:
    record = made(tmp_path, source=code_digest(SPEC.family), behaviour=None)
    assert KnownCode(tmp_path).verdict(record) == "current"
    KnownCode(tmp_path).remember(SPEC, OTHER)
    assert KnownCode(tmp_path).verdict(record) == "current"


def test_a_digest_of_schema_1_is_of_other_files_so_it_says_nothing(tmp_path: Path) -> None:
    record = made(tmp_path, source=code_digest(SPEC.family), behaviour=None, schema=1)
    assert KnownCode(tmp_path).verdict(record) == "unverified"


def test_other_code_is_what_it_computes(tmp_path: Path) -> None:
    known, record = KnownCode(tmp_path), made(tmp_path)
    assert (known.verdict(record), known.differences(record)) == ("unverified", None)
    known.remember(SPEC, ONE)
    assert (known.verdict(record), known.differences(record)) == ("current", [])
    known.remember(SPEC, OTHER)
    assert known.verdict(record) == "stale"
    assert known.differences(record)


def test_a_run_without_a_fingerprint_is_never_called_current_or_stale(tmp_path: Path) -> None:
    KnownCode(tmp_path).remember(SPEC, ONE)
    assert KnownCode(tmp_path).verdict(made(tmp_path, behaviour=None)) == "unverified"


def test_a_family_that_is_not_there_any_more_cannot_be_looked_at(tmp_path: Path) -> None:
    record = made(tmp_path)
    gone = replace(record, variant=replace(record.variant, family="pixelcnn-of-old"))
    assert KnownCode(tmp_path).verdict(gone) == "unverified"


def test_what_was_seen_of_one_version_of_the_code_is_not_said_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = made(tmp_path)
    KnownCode(tmp_path).remember(SPEC, ONE)
    monkeypatch.setattr(staleness, "code_digest", lambda family: "f" * 64)
    assert KnownCode(tmp_path).verdict(record) == "unverified"
    KnownCode(tmp_path).remember(SPEC, OTHER)
    assert KnownCode(tmp_path).verdict(record) == "stale"
    monkeypatch.undo()
    assert KnownCode(tmp_path).verdict(record) == "current"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff", b"[" * 100_000])
def test_a_damaged_memory_is_none_and_is_written_again(tmp_path: Path, content: bytes) -> None:
    known, record = KnownCode(tmp_path), made(tmp_path)
    known.remember(SPEC, ONE)
    (path,) = (tmp_path / "work" / "behaviour").rglob("*.json")
    path.write_bytes(content)
    assert known.verdict(record) == "unverified"
    known.remember(SPEC, ONE)
    assert known.verdict(record) == "current"


def test_a_fingerprint_of_another_form_is_to_be_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_form(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
        raise ValueError("of another form")

    record = made(tmp_path)
    KnownCode(tmp_path).remember(SPEC, ONE)
    monkeypatch.setattr(staleness, "differences", other_form)
    assert KnownCode(tmp_path).verdict(record) == "unverified"


def test_a_store_that_cannot_be_written_only_forgets(tmp_path: Path) -> None:
    record = made(tmp_path / "runs")
    (tmp_path / "closed").write_text("a file")
    known = KnownCode(tmp_path / "closed")
    known.remember(SPEC, ONE)
    assert known.verdict(record) == "unverified"
