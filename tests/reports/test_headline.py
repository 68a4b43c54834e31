"""The first screen: counts of verdicts and leaks, the nearest decided figure, where the runs come from; and ids and commands behind it."""

from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.reports.html.again import commands_of, given_up, without_command
from pixelbench.reports.html.anchors import anchor
from pixelbench.reports.html.document import html_of
from pixelbench.reports.html.drawn.dotplot import panels_of
from pixelbench.reports.html.headline import count_leaks, headline_of
from pixelbench.reports.markdown import decided_table
from pixelbench.reports.report import build_report
from pixelbench.store.record import Provenance, Request
from tests.support.paper_runs import paper_spec
from tests.support.record_factory import add_photos, add_run, add_seeds, add_spec, as_schema_1, folder_of


def test_leaks_are_counted_by_what_was_expected_of_them(tmp_path: Path) -> None:
    add_photos(tmp_path)
    leaks = headline_of(build_report(tmp_path)).leaks
    assert (leaks.by_design, leaks.undeclared, leaks.unchecked) == (1, 0, 1)
    assert leaks.sentence == "No undeclared leak; 1 variant leaks by design"
    add_run(tmp_path, "pixelcnn", 0.5, task="digits", causal="leaky")
    report = build_report(tmp_path)
    leaks = count_leaks(report.cells)
    assert leaks.sentence == "1 undeclared leak found; 1 variant leaks by design"
    assert leaks.by_design + leaks.undeclared + leaks.none_found + leaks.unchecked == len(report.cells)


def test_every_judged_figure_is_counted_once(tmp_path: Path) -> None:
    add_seeds(tmp_path, "fvsbn", 0.18, 0.18, 0.18, task="mnist-fixed")
    for seed in range(3):
        add_spec(tmp_path, paper_spec("gated-pixelcnn", seed=seed), 80.1 / 784 / 0.6931471805599453)
    report = build_report(tmp_path)
    head = headline_of(report)
    judged = [one for one in report.compared if one.verdict is not None]
    assert sum(one.count for one in (*head.verdicts, *head.waiting)) == len(judged)
    assert sum(one.count for one in head.verdicts) == head.decided == len(report.decided) > 0
    assert head.best is not None
    assert head.best.dots[0].compared in report.decided


def test_what_cannot_be_compared_and_what_is_from_memory_is_folded_and_nothing_is_lost(tmp_path: Path) -> None:
    for variant in ("gated-pixelcnn", "fvsbn", "pixelvae"):
        add_spec(tmp_path, paper_spec(variant, budget="cpu"), 0.17)
    report = build_report(tmp_path)
    (panel,) = panels_of(report.compared)
    assert {line.compared.figure.id for line in panel.dots} <= {one.figure.id for one in report.compared if one.figure.verified}
    folded = [line for fold in panel.folds for line in fold.dots]
    assert len(panel.dots) + len(folded) == len(report.compared)
    assert all(line.compared.verdict_name != "not comparable" for line in panel.dots)
    assert any(line.compared.verdict_name == "not comparable" for line in folded)
    assert any(not line.compared.figure.verified for line in folded)


def test_what_is_not_shown_to_be_a_change_says_so_and_stands_behind(tmp_path: Path) -> None:
    def said() -> dict[str, str]:
        return {one.title: one.difference for one in headline_of(build_report(tmp_path)).findings}

    add_run(tmp_path, "gated-pixelcnn", 1.0, settings={"gates": True, "stacks": "two"})
    add_run(tmp_path, "gated-no-gates", 1.3, settings={"gates": False, "stacks": "two"})
    add_run(tmp_path, "gated-one-stack", 1.1, settings={"gates": True, "stacks": "one"})
    assert set(said().values()) == {"+0.300 bits/dim, seed noise unknown", "+0.100 bits/dim, seed noise unknown"}
    for seed, bits in ((1, 1.004), (2, 0.996)):
        add_run(tmp_path, "gated-pixelcnn", bits, seed=seed, settings={"gates": True, "stacks": "two"})
        add_run(tmp_path, "gated-one-stack", bits + 0.1, seed=seed, settings={"gates": True, "stacks": "one"})
    for seed, bits in ((1, 0.7), (2, 1.5)):
        add_run(tmp_path, "gated-no-gates", bits, seed=seed, settings={"gates": False, "stacks": "two"})
    assert list(said().items()) == [("The blind spot", "+0.100 bits/dim"), ("Gated activations", "+0.167 bits/dim, not distinguishable")]


def test_better_than_is_believed_is_counted_and_marked(tmp_path: Path) -> None:
    for seed in range(3):
        add_spec(tmp_path, paper_spec("fvsbn", seed=seed, budget="paper"), 90 / 784 / 0.6931471805599453)
    report = build_report(tmp_path)
    head = headline_of(report)
    assert (head.decided, head.suspicious) == (1, 1)
    assert "1 suspiciously better" in " ".join(html_of(report, {}).split())
    assert decided_table(report).endswith("▲ **better** (suspicious) |")


def test_days_and_commits_are_a_range_where_records_have_days(tmp_path: Path) -> None:
    made = {"2026-11-02": "a" * 40, "2026-11-29": "b" * 40, "2026-11-05": "c" * 40}
    for seed, (date, commit) in enumerate(made.items()):
        add_run(tmp_path, "pixelcnn", 1.0, seed=seed, provenance=Provenance("cpu", git_commit=commit, date=date))
    said = headline_of(build_report(tmp_path)).origin
    assert said == "3 runs of 1 variant on 1 task, executed from 2026-11-02 to 2026-11-29, at commits aaaaaaa to bbbbbbb"
    add_run(tmp_path, "pixelcnn", 1.0, seed=3)
    assert "1 of them before days were kept" in headline_of(build_report(tmp_path)).origin
    add_run(tmp_path, "pixelcnn", 1.0, seed=4, provenance=Provenance("cpu", git_commit="d" * 40))
    said = headline_of(build_report(tmp_path)).origin  # where the last one stands among the others nobody knows
    assert said.endswith("2 of them before days were kept, at 5 commits")


def test_a_record_without_a_day_stays_what_it_was(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.0)
    assert "days that their records do not keep" in headline_of(build_report(tmp_path)).origin


@pytest.mark.parametrize("other", ["a b", "a-b ", "A|b", "ä", "", "a" * 300, "../a"])
def test_ids_are_of_names_alone_and_no_two_names_share_one(other: str) -> None:
    assert anchor("variant", "photos", "gated-pixelcnn") == "variant/photos/gated-pixelcnn"
    names = {"a-b", "a" * 301, other}
    assert len({anchor("variant", "photos", name) for name in names}) == len(names)
    assert all(len(anchor("variant", name, name)) < 200 for name in names)


def test_one_command_a_suite_and_budget_has_all_of_its_seeds(tmp_path: Path) -> None:
    add_seeds(tmp_path, "pixelcnn", 1.0, 1.0, 1.0)
    add_run(tmp_path, "gated-pixelcnn", 1.0, budget="cpu", request=Request("run", "my suite.toml", "photos", "cpu", limit=60))
    add_run(
        tmp_path,
        "gated-no-colour",
        1.5,
        settings={"colour_conditioning": False},
        request=Request("ablate", "colour-conditioning", "photos", "quick"),
    )
    first, *others = commands_of(build_report(tmp_path))
    assert (first.command, first.runs) == ("pixelbench run --suite quick --budget quick --seeds 0,1,2", 3)
    assert {one.command for one in others} == {
        "pixelbench run --suite 'my suite.toml' --budget cpu --seeds 0 --limit 60",
        "pixelbench ablate colour-conditioning --task photos --budget quick --seeds 0",
    }


def test_a_row_that_its_suite_has_no_longer_is_named_and_no_command_counts_it(tmp_path: Path) -> None:
    """Suites that ship change: what has gone would not be executed by the same words."""
    gone = Request("run", "quick", "photos", "quick")
    add_run(tmp_path, "pixelcnn", 1.0, request=gone)
    add_run(tmp_path, "pixelcnn-of-old", 1.0, family="pixelcnn", settings={"layers": 5}, request=gone)
    report = build_report(tmp_path)
    assert [one.runs for one in commands_of(report)] == [1]
    assert given_up(report) == ["photos/pixelcnn-of-old"]
    assert "photos/pixelcnn-of-old was executed by has it no longer" in html_of(report, {})


def test_runs_that_know_no_command_are_counted(tmp_path: Path) -> None:
    as_schema_1(folder_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0)))
    report = build_report(tmp_path)
    assert (commands_of(report), without_command(report)) == ((), 1)
    assert replace(report, cells=()).cells == ()
