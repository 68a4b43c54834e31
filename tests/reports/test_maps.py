"""Dependence maps in reports: from the certificates in the store, shared where they say the same, left out where they cannot be read."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from record_factory import add_run

from pixelbench.causality.evidence import Evidence
from pixelbench.causality.report import CausalityReport, Method
from pixelbench.causality.summary import summarise
from pixelbench.reports.maps import map_groups
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import build_report

def add(store: Path, variant: str, report: CausalityReport | str, seed: int = 0) -> None:
    leaky = isinstance(report, CausalityReport) and report.leaky
    record = add_run(store, variant, 1.0, task="digits", seed=seed, causal="leaky" if leaky else "complete")
    text = report if isinstance(report, str) else json.dumps(report.to_json())
    (store / "digits" / variant / record["run_key"] / "certificate.json").write_text(text)


def test_variants_that_see_the_same_share_a_picture(tmp_path: Path) -> None:
    add(tmp_path, "a", certificate())
    add(tmp_path, "a", certificate(), seed=1)
    add(tmp_path, "b", certificate(effect=0.2))
    add(tmp_path, "c", certificate(sees_itself=True))
    groups = map_groups(list(build_report(tmp_path).cells))
    found = [(group.labels, group.report.leaky, group.report.target) for group in groups]
    assert found == [(("a", "b"), False, "a, b"), (("c",), True, "c")]


def test_the_page_shows_each_map_with_what_it_says(tmp_path: Path) -> None:
    add(tmp_path, "a", certificate())
    add(tmp_path, "c", certificate(sees_itself=True))
    page = write_markdown(build_report(tmp_path)).read_text()
    section = page.split("### Dependence maps")[1].split("### Learning")[0]
    assert "**a**: No leak found (complete map, tolerance 1e-10 in float64). Context: 2 rows above" in section
    assert "**c** (*not causal*): Not causal: input" in section
    assert "mask A in the first layer" in section
    for name in ("map-digits-a.png", "map-digits-c.png"):
        assert f"](report-files/{name})" in section
        with Image.open(tmp_path / "report-files" / name) as picture:
            picture.verify()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"status": "complete", "leaks": []}', '{"schema": 1, "leaks": 3}'])
def test_a_certificate_that_cannot_be_read_is_left_out(content: str, tmp_path: Path) -> None:
    add(tmp_path, "a", content)
    assert map_groups(list(build_report(tmp_path).cells)) == []
    assert "Dependence maps" not in write_markdown(build_report(tmp_path)).read_text()


def test_baselines_that_see_nothing_have_no_map(tmp_path: Path) -> None:
    add(tmp_path, "uniform", certificate(nothing=True))
    assert map_groups(list(build_report(tmp_path).cells)) == []
