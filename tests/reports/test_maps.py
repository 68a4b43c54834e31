"""Dependence maps in reports: from the certificates in the store, shared where they say the same, left out where they cannot be read."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pixelbench.causality.report import CausalityReport
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.pictures.maps import map_groups
from pixelbench.reports.report import build_report
from pixelbench.store.artifacts import CERTIFICATE
from pixelbench.store.record_file import read_record
from tests.support.certificate_factory import certificate, certificate_file
from tests.support.record_factory import add_run, rewrite

#: Of the digits.
SHAPE = (1, 8, 8)


def add(store: Path, variant: str, report: CausalityReport | bytes, seed: int = 0) -> None:
    """`a`, `b` and `c` are nets of their own."""
    leaky = isinstance(report, CausalityReport) and report.leaky
    files = {CERTIFICATE: report if isinstance(report, bytes) else certificate_file(report)}
    settings = {} if variant == "uniform" else {"layers": 3 + ord(variant[0]) % 7}
    add_run(store, variant, 1.0, task="digits", seed=seed, causal="leaky" if leaky else "complete", settings=settings, files=files)


def test_variants_that_see_the_same_share_a_picture(tmp_path: Path) -> None:
    add(tmp_path, "a", certificate(shape=SHAPE))
    add(tmp_path, "a", certificate(shape=SHAPE), seed=1)
    add(tmp_path, "b", certificate(shape=SHAPE, effect=0.2))
    add(tmp_path, "c", certificate(shape=SHAPE, sees_itself=True))
    groups = map_groups(list(build_report(tmp_path).cells))
    found = [(group.labels, group.report.leaky, group.report.target) for group in groups]
    assert found == [(("a", "b"), False, "a, b"), (("c",), True, "c")]


def test_of_several_seeds_the_newest_certificate_is_shown(tmp_path: Path) -> None:
    for seed, (day, note) in enumerate(
        (("2026-11-28", "old"), ("2026-11-29", "new"), ("2026-11-29", "of the highest seed"), (None, "older"))
    ):
        add(tmp_path, "a", replace(certificate(shape=SHAPE), notes=(note,)), seed)
        folder = next(folder for folder in (tmp_path / "digits" / "a").iterdir() if read_record(folder).seed == seed)
        rewrite(folder, lambda record, day=day: replace(record, provenance=replace(record.provenance, date=day)))
    (group,) = map_groups(list(build_report(tmp_path).cells))
    assert group.report.notes == ("new",)


def test_the_page_shows_each_map_with_what_it_says(tmp_path: Path) -> None:
    add(tmp_path, "a", certificate(shape=SHAPE))
    add(tmp_path, "c", certificate(shape=SHAPE, sees_itself=True))
    page = write_markdown(build_report(tmp_path)).read_text()
    section = page.split("### Dependence maps")[1].split("### Learning")[0]
    assert "**a**: No leak found (complete map, tolerance 1e-10 in float64). Context: 7 rows above" in section
    assert "**c** (*not causal*): Not causal: input" in section
    assert "mask A in the first layer" in section
    for name in ("map-digits-a.png", "map-digits-c.png"):
        assert f"](report-files/{name})" in section
        with Image.open(tmp_path / "report-files" / name) as picture:
            picture.verify()


def test_what_a_certificate_notes_is_said_beside_what_it_misses(tmp_path: Path) -> None:
    """Such as that influence has faded into rounding, where blind spots are counted."""
    add(tmp_path, "a", replace(certificate(shape=SHAPE), notes=("Influence fades with the distance.",)))
    add(tmp_path, "b", certificate(shape=SHAPE))
    report = build_report(tmp_path)
    assert [(group.labels, "fades" in group.sentences) for group in map_groups(list(report.cells))] == [(("a",), True), (("b",), False)]
    assert "Influence fades with the distance." in write_markdown(report).read_text()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"status": "complete", "leaks": []}', b'{"schema": 1, "leaks": 3}'])
def test_a_certificate_that_cannot_be_read_is_left_out_and_named(content: bytes, tmp_path: Path) -> None:
    add(tmp_path, "a", content)
    report = build_report(tmp_path)
    assert map_groups(list(report.cells)) == []
    assert [row.rank for row in report.tables[0].rows] == [1]
    page = write_markdown(report).read_text()
    assert "Dependence maps" not in page
    assert "certificate.json is damaged" in page


def test_baselines_that_see_nothing_have_no_map(tmp_path: Path) -> None:
    add(tmp_path, "uniform", certificate(shape=SHAPE, nothing=True))
    assert map_groups(list(build_report(tmp_path).cells)) == []
