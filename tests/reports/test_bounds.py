"""Bounds: printed with a sign, never ranked beside exact values; latents and nats per image where they say something."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pixelbench.cli.progress import ending
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.readme import readme_table
from pixelbench.reports.report import Report, build_report
from pixelbench.reports.terminal import print_report
from pixelbench.store.record import LatentUse
from tests.support.record_factory import add_digits, add_run

USED = LatentUse(12.345, (6.0, 6.3, 0.045), 2, 3)
IGNORED = replace(USED, active_units=0, kl=0.0)


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Two exact runs on binarised digits, and bounds on both sides of the better one."""
    add_run(tmp_path, "uniform", 1.0, task="mnist-fixed", noise=0.0)
    add_run(tmp_path, "gated-pixelcnn", 0.148, task="mnist-fixed", noise=0.01)
    samples = {"importance_samples": 50}
    add_run(tmp_path, "pixelvae", 0.150, task="mnist-fixed", evaluation=samples, latent=USED, noise=0.01)
    add_run(tmp_path, "pixelvae-elbo", 0.120, family="pixelvae", task="mnist-fixed", latent=IGNORED, noise=0.01)
    return build_report(tmp_path)


def test_a_model_that_is_told_the_class_has_no_rank(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 0.5, task="digits")
    add_run(tmp_path, "gated-class", 0.4, task="digits", settings={"condition": "class", "classes": 10})
    report = build_report(tmp_path)
    (table,) = report.tables
    assert [(row.label, row.rank, row.category, row.behind) for row in table.rows] == [
        ("gated-pixelcnn", 1, "ranked", None),
        ("gated-class", None, "told", None),
    ]
    assert "(given the class)" in terminal(report)
    page = write_markdown(report).read_text(encoding="utf-8")
    assert "(given the class)" in page
    assert "**given the class**" in page


def terminal(report: Report, width: int = 220) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width))
    return out.getvalue()


def test_bounds_have_no_rank_and_no_difference(report: Report) -> None:
    (table,) = report.tables
    assert [(row.rank, row.label, row.category, row.behind is None) for row in table.rows] == [
        (1, "gated-pixelcnn", "ranked", True),
        (2, "uniform", "ranked", False),
        (None, "pixelvae-elbo", "bound", True),
        (None, "pixelvae", "bound", True),
    ]


def test_bounds_are_never_printed_without_their_sign(report: Report, tmp_path: Path) -> None:
    page = write_markdown(report).read_text(encoding="utf-8")
    for text in (page, readme_table(tmp_path), terminal(report)):
        lines = {name: next(line for line in text.splitlines() if f" {name} " in line) for name in ("pixelvae", "pixelvae-elbo", "uniform")}
        assert "≤ 0.150 ±" in lines["pixelvae"]
        assert "(50 importance samples)" in lines["pixelvae"]
        assert "≤ 81.51 ±" in lines["pixelvae"]  # 0.150 * 784 * ln 2
        assert "≤ 0.120 ±" in lines["pixelvae-elbo"]
        assert "(ELBO)" in lines["pixelvae-elbo"]
        assert "≤" not in lines["uniform"]
        assert "543.43" in lines["uniform"]
    assert "- **≤**: the likelihood of a model with latents" in page
    assert "- **nats/image**" in page


def test_ignored_latents_are_seen(report: Report) -> None:
    text = terminal(report)
    assert "2 of 3, 12.3 nats" in text
    assert "0 of 3, 0.0 nats" in text


def test_other_tasks_have_none_of_these_columns(tmp_path: Path) -> None:
    add_digits(tmp_path)
    report = build_report(tmp_path)
    for text in (write_markdown(report).read_text(encoding="utf-8"), terminal(report)):
        assert not any(word in text for word in ("nats/image", "latents used", "≤"))


def test_progress_says_what_is_a_bound() -> None:
    event = {"status": "done", "bits_per_dim": 0.15, "estimator": "elbo", "causal": "complete", "seconds": 12.0}
    assert ending(event) == "done, ≤ 0.150 bits/dim, 12 s"
    assert ending(event | {"estimator": "exact"}) == "done, 0.150 bits/dim, 12 s"
