"""The column `proved`: where it was done, in every rendering, and nowhere else."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import Report, build_report
from pixelbench.reports.terminal import print_report
from pixelbench.store.documents.proofs import write_proof
from tests.store.test_proofs import proof_of
from tests.support.record_factory import add_digits, add_photos, add_run, add_seeds, folder_of

pytestmark = pytest.mark.quick


def renderings(report: Report) -> list[str]:
    out = io.StringIO()
    print_report(report, Console(file=out, width=250))
    return [out.getvalue(), write_markdown(report).read_text(encoding="utf-8"), write_html(report).read_text(encoding="utf-8")]


def test_without_proofs_nobody_speaks_of_them(tmp_path: Path) -> None:
    add_photos(tmp_path)
    for text in renderings(build_report(tmp_path)):
        assert "proved" not in text


def test_bytes_overhead_and_how_many_images(tmp_path: Path) -> None:
    add_digits(tmp_path)
    record = add_run(tmp_path, "pixelcnn-plain", 2.0)
    proof = proof_of(tmp_path, record)
    write_proof(folder_of(tmp_path, record), proof)
    report = build_report(tmp_path)
    said = f"{proof.coded.coded_bytes:,} bytes, {100 * proof.overhead:+.2f} % (10 images)"
    terminal, page, html = renderings(report)
    assert said in terminal
    assert said in page
    assert f"{proof.coded.coded_bytes:,} bytes" in html
    assert all("came back in" in text for text in (page, html))
    digits, photos = report.tables
    assert [row.as_dict()["proved_bytes"] for row in photos.rows] == [proof.coded.coded_bytes]
    assert {row.as_dict()["proved_bytes"] for row in digits.rows} == {None}
    assert page.count("| proved |") == 1


def test_a_leaking_model_is_held_against_its_claim(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0)
    record = add_run(tmp_path, "gated-residual", 0.0005, settings={"first_layer": "residual"}, causal="leaky", expect="leaky")
    claimed = proof_of(tmp_path, record)
    coded = replace(claimed.coded, coded_bytes=9_000, ideal_bits=70_000.0)
    write_proof(folder_of(tmp_path, record), replace(claimed, coded=coded, claimed=claimed.coded, method="naive"))
    times = 8 * 9_000 / max(1.0, claimed.coded.ideal_bits)
    terminal, page, _ = renderings(build_report(tmp_path))
    assert f"9,000 bytes, {times:,.0f} times its claim (10 images)" in terminal
    assert f"9,000 bytes, {times:,.0f} times its claim (10 images)" in page


def test_of_several_seeds_the_lowest_proved_one(tmp_path: Path) -> None:
    records = add_seeds(tmp_path, "gated-pixelcnn", 2.0, 2.1, 2.2)
    for record in records[1:]:
        write_proof(folder_of(tmp_path, record), proof_of(tmp_path, record))
    (table,) = build_report(tmp_path).tables
    assert table.rows[0].proof == proof_of(tmp_path, records[1])
