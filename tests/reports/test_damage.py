"""One damaged file never costs more than its own run: whatever a file holds, the rest of the report stands as before."""

import copy
import itertools
import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelbench.analysis.changes import compare_stores
from pixelbench.analysis.tables import Row
from pixelbench.published.frames import compare_with_published
from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import Report, build_report
from pixelbench.store.artifacts import CERTIFICATE, CURVE, NATS
from pixelbench.store.frame import load_results
from pixelbench.store.record import LatentUse
from tests.support.certificate_factory import certificate, certificate_file
from tests.support.damaged_files import CERTIFICATES, CURVES, NATS_FILES
from tests.support.record_factory import add_photos, add_run, add_seeds, as_schema_1, folder_of

DAMAGE = [
    *((NATS, kind, blob) for kind, blob in NATS_FILES.items()),
    *((CURVE, kind, blob) for kind, blob in CURVES.items()),
    *((CERTIFICATE, kind, blob) for kind, blob in CERTIFICATES.items()),
]


def add_victim(store: Path) -> Path:
    """A run of everything, of a row that nothing else depends on."""
    files = {CERTIFICATE: certificate_file(certificate(shape=(3, 16, 16)))}
    latent = LatentUse(4.2, (4.2, 1.0), 3, 16, {"first": 1})
    record = add_run(store, "victim", 2.5, family="pixelvae", latent=latent, files=files, error=None)
    return folder_of(store, record)


def others(report: Report) -> list[Row]:
    return [row for table in report.tables for row in table.rows if row.label != "victim"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    add_photos(folder)
    add_victim(folder)
    return folder


@pytest.fixture(scope="module")
def whole(store: Path) -> Report:
    return build_report(store)


@pytest.mark.parametrize(("name", "blob"), [pytest.param(name, blob, id=f"{name} {kind}") for name, kind, blob in DAMAGE])
def test_a_damaged_file_takes_nothing_else_with_it(store: Path, whole: Report, tmp_path: Path, name: str, blob: bytes) -> None:
    folder = next((store / "photos" / "victim").iterdir())
    kept = (folder / name).read_bytes()
    (folder / name).write_bytes(blob)
    try:
        report = build_report(store)
        if not blob:  # a page shows what is whole, so one kind of damage tells for all
            write_markdown(report, tmp_path / "page.md")
            page = write_html(report, tmp_path / "page.html").read_text(encoding="utf-8")
            assert "What does not add up, or could not be used" in page
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            frame = load_results(store)
    finally:
        (folder / name).write_bytes(kept)
    assert others(report) == others(whole)
    assert report.order == whole.order
    victim = next(row for table in report.tables for row in table.rows if row.label == "victim")
    assert victim.category == ("unscored" if name == NATS else "bound")
    assert len(report.problems) == 1
    if name != CURVE:  # no column of the frame rests on that
        assert [str(warning.message) for warning in said] == list(report.problems)
    assert str(folder / name) in report.problems[0] or name == NATS
    assert frame.set_index("variant").bits_per_dim.isna().to_dict() == {
        **dict.fromkeys((row.label for row in others(whole)), False),
        "victim": name == NATS,
    }


@pytest.mark.parametrize("effect", [b"1e999", b"NaN", b"-1e308"])
def test_numbers_that_no_certificate_has_break_no_page(tmp_path: Path, effect: bytes) -> None:
    blob = certificate_file(certificate(shape=(1, 8, 8), sees_itself=True)).replace(b"0.5", effect)
    add_run(tmp_path, "pixelcnn", 1.0, task="digits", causal="leaky", files={CERTIFICATE: blob})
    report = build_report(tmp_path)
    write_html(report)
    write_markdown(report)
    assert [row.category for row in report.tables[0].rows] == ["leaking"]


#: Each a value of JSON that a damaged or foreign record could have anywhere; there is no digest in the first schema to tell.
_NUMBERS = ("-1", "0", "1e308", "1e999", "9223372036854775807", "1" + "0" * 400)
VALUES = (*_NUMBERS, "null", "true", "[]", "{}", '"x"', r'"\ud800"', r'"\u0000/.."')


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in a document."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        yield from leaves(part, (*path, name))


def replaced(document: dict[str, Any], path: tuple[Any, ...], text: str) -> str:
    spoilt = copy.deepcopy(document)
    at = spoilt
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = "@@@"
    return json.dumps(spoilt).replace('"@@@"', text)


@pytest.mark.slow
def test_whatever_stands_in_a_record_the_others_are_reported(tmp_path: Path) -> None:
    """Every field in turn, each with two of the values; what is no damage by itself is doubted or believed, and nothing breaks."""
    store, empty = tmp_path / "runs", tmp_path / "empty"
    empty.mkdir()
    add_seeds(store, "gated-pixelcnn", 1.0, 1.1)
    folder = add_victim(store)
    document, path = as_schema_1(folder), folder / "record.json"
    values = itertools.cycle(VALUES)
    for leaf in leaves(document):
        for text in (next(values), next(values)):
            path.write_text(replaced(document, leaf, text), encoding="utf-8")
            report = build_report(store)
            best = next(row for table in report.tables for row in table.rows if row.label == "gated-pixelcnn")
            assert (best.seeds, best.bits_per_dim, best.rank) == (2, pytest.approx(1.05), 1), (leaf, text)
            json.dumps(report.as_dict(), allow_nan=False)
            with warnings.catch_warnings(action="ignore"):
                assert len(compare_with_published(load_results(store))) >= 1
    shutil.rmtree(folder)
    assert compare_stores(store, empty).count("only in A") == 1


def test_a_record_cut_anywhere_is_damage_and_nothing_else(tmp_path: Path) -> None:
    add_seeds(tmp_path, "gated-pixelcnn", 1.0, 1.1)
    path = add_victim(tmp_path) / "record.json"
    text = path.read_bytes()
    for length in range(0, len(text) - 2, 97):
        path.write_bytes(text[:length])
        report = build_report(tmp_path)
        assert [row.rank for row in report.tables[0].rows] == [1]
        assert len(report.problems) == 1
