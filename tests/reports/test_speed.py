"""What follows from measurements of speed: rates, ratios, what is slower beyond noise; and the section that shows them."""

from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.analysis.speed import NUMBERS, TITLES, changes, comparable, quantities_of, row_of, three_digits
from pixelbench.reports.html.document import html_of
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import build_report
from pixelbench.reports.speed_section import speed_html, speed_markdown
from pixelbench.store.documents.bench_records import FOLDER, write_speed
from tests.support.speed_records import USUAL, speed_record


def verdicts(before, after) -> dict[str, str]:
    return {change.action: change.verdict for change in changes(before, after)}


def test_figures_are_what_the_seconds_say():
    found = quantities_of(speed_record(noise=0.0))
    assert found["training"].value == pytest.approx(16 / 0.2)
    assert found["latency"].value == pytest.approx(0.02)
    assert found["throughput"].value == pytest.approx(32 / 0.1)
    assert found["training-work"].value == pytest.approx(1 / 0.2)
    assert found["training-share"].value == pytest.approx((1 / 0.2) / max(2 / 0.01, 3 / 0.02))
    assert found["cached-1"].value == pytest.approx(0.01 * 64 / 0.02)
    assert found["cached-best"].value == pytest.approx(0.08 * 64 / 0.1)


def test_without_the_incremental_mode_there_is_no_ratio_and_without_products_no_work():
    record = speed_record(cached=False)
    timing = replace(record.timings["training"], flop=0)
    found = quantities_of(replace(record, timings={**record.timings, "training": timing}))
    assert {"cached-1", "cached-best", "training-work", "training-share"}.isdisjoint(found)
    assert {"training", "scoring-work"} <= set(found)


def test_a_row_has_a_cell_for_each_title_whatever_was_measured():
    whole = speed_record()
    few = replace(whole, timings={name: whole.timings[name] for name in ("scoring", "product", "convolution")}, memory={}, cached=False)
    for record in (whole, few):
        assert len(row_of(record)) == len(TITLES)
    assert set(TITLES) >= NUMBERS
    assert row_of(few).count("–") == 7
    assert row_of(whole)[TITLES.index("parameters")] == "1,234"  # two families' defaults are of two sizes
    assert row_of(replace(whole, parameters=0))[TITLES.index("parameters")] == "–"
    low = replace(whole, subject=replace(whole.subject, precision="bf16"))
    assert [row_of(record)[-1].split(", ")[1] for record in (whole, low)] == ["fp32", "bf16"]  # rates of both are no rates of one


def test_equal_measurements_are_called_equal_however_noisy():
    pairs = [(speed_record(seed, noise=noise), speed_record(1000 + seed, noise=noise)) for seed in range(60) for noise in (0.02, 0.3)]
    found = [verdicts(*pair) for pair in pairs]
    called = sum(verdict != "same" for each in found for verdict in each.values())
    assert called <= 0.01 * sum(map(len, found))


@pytest.mark.parametrize("action", ["training", "scoring", "sampling", "sampling-best"])
def test_what_is_slower_is_found_and_its_mirror_image_is_faster(action: str):
    usual, slow = speed_record(1), speed_record(2, slower={action: 1.4})
    worse, better = verdicts(usual, slow), verdicts(slow, usual)
    assert sorted(worse.values()) == ["same"] * 4 + ["slower"]
    assert sorted(better.values()) == ["faster"] + ["same"] * 4


@pytest.mark.parametrize("machine", [0.5, 2.0])
def test_another_speed_of_the_whole_machine_is_no_regression(machine: float):
    assert set(verdicts(speed_record(1), speed_record(2, machine=machine)).values()) == {"same"}


def test_a_slow_training_on_a_slower_machine_is_still_found():
    assert verdicts(speed_record(1), speed_record(2, machine=2.0, slower={"training": 1.5}))["training"] == "slower"


def test_of_few_rounds_nothing_is_said():
    assert verdicts(speed_record(1, rounds=4), speed_record(2, rounds=4, slower={"training": 9.0}))["training"] == "same"


def test_more_memory_is_a_regression_and_less_is_none():
    usual = speed_record()
    more = replace(usual, memory={**usual.memory, "all": 400 << 20})
    assert [change.regression for change in changes(usual, more) if change.action == "peak memory"] == [True]
    assert [change.regression for change in changes(more, usual) if change.action == "peak memory"] == [False]


def test_only_the_same_place_is_compared_and_of_several_the_latest():
    record = speed_record()
    later = replace(record, measured="2026-12-01T00:00:00+00:00")
    assert comparable([later, record], record) == later
    for other in (replace(record, threads=1), replace(record, device="cuda"), replace(record, subject=replace(record.subject, batch=8))):
        assert comparable([other], record) is None


@pytest.mark.parametrize(("value", "said"), [(0.0, "0"), (0.0012345, "0.00123"), (1.234, "1.23"), (98.7, "98.7"), (12345.0, "12,300")])
def test_three_digits(value: float, said: str):
    assert three_digits(value) == said


def test_nothing_measured_is_no_section(tmp_path: Path):
    assert speed_markdown(tmp_path) == []
    assert speed_html(tmp_path) == ""


def test_both_reports_have_the_section_and_its_text_is_text(tmp_path: Path):
    write_speed(tmp_path, speed_record(name="<script>alert(1)</script>|x", device="cpu (\u202eEvil <b>)"))
    (tmp_path / FOLDER / "damaged.json").write_text("{}")
    report = build_report(tmp_path)
    text, page = write_markdown(report).read_text(), html_of(report, {})
    assert "## Speed" in text
    assert page.count('<section id="speed">') == page.count('href="#speed"') == 1
    for shown in (text, page):
        assert "damaged.json is no sound measurement" in shown.replace("\\", "")
        assert "<script>alert" not in shown
        assert "\u202e" not in shown
        assert "<b>" not in shown.split("Evil")[1][:10]


def test_every_timed_action_of_the_factory_is_one_that_is_stored():
    from pixelbench.store.documents.bench_records import TIMED

    assert set(USUAL) == set(TIMED)
