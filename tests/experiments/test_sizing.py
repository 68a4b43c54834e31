"""What a suite costs is counted from shapes, as a real update counts it; the page's table is that count, and its arithmetic is right."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pixelbench.experiments import sizing, stages
from pixelbench.experiments.sizing import ASSUMED, BEGIN, END, GPUS, SEEDS, Machine, Work, trained, work_of, written_into
from pixelbench.store.spec import RunSpec
from tests.support.quick_run import spec_of

PAGE = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()


def small(family: str, **changes: int) -> RunSpec:
    """A run of the quick suite with another family in its place."""
    spec = spec_of("digits/pixelcnn")
    return replace(spec, family=family, settings={"maps": 4, "layers": 1}, recipe=spec.recipe | {"batch": 2, **changes})


@pytest.mark.parametrize("family", ["pixelcnn", "gated-pixelcnn"])
def test_the_count_is_that_of_a_real_update(family: str) -> None:
    spec = small(family)
    model, work = stages.build(spec), work_of(spec)
    images = torch.zeros((2, 1, 8, 8), dtype=torch.uint8)
    with FlopCounterMode(display=False) as flops:
        model.loss(images).backward()
    assert work.step == flops.get_total_flops() > 0
    assert work.parameters == sum(weight.numel() for weight in model.parameters())
    assert work_of(small(family, batch=6)).step == 3 * work.step
    assert work_of(small(family, batch=6)).launches == work.launches


def test_the_steps_of_a_recurrence_are_counted_though_torch_sees_one_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = small("row-lstm")
    whole = work_of(spec)
    monkeypatch.setattr(sizing, "_INSIDE", {})
    outside = work_of(spec)
    assert whole.step > outside.step
    assert whole.launches > outside.launches + 8 * 2 * 5  # rows, forwards and backwards, operations of a step at least


def test_an_update_takes_the_longer_of_products_and_launches() -> None:
    machine = Machine("a", roof=1e12, share=0.5, launch=1e-5)
    assert machine.seconds(Work(0, step=10**12, launches=10)) == 2.0
    assert machine.seconds(Work(0, step=10, launches=100)) == pytest.approx(1e-3)


def rows() -> list[list[str]]:
    text = PAGE.split(BEGIN)[1].split(END)[0]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return found[2:]


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_the_pages_table_has_every_trained_row_of_the_paper_suite() -> None:
    specs = trained("paper", "paper")
    assert [row[:2] for row in rows()] == [[spec.task["name"], spec.variant] for spec in specs]
    assert [(number(row[3]), number(row[4])) for row in rows()] == [(spec.recipe["batch"], spec.updates) for spec in specs]


@pytest.mark.parametrize("variant", ["vae", "pixelcnn"])
def test_the_pages_table_is_the_count(variant: str) -> None:
    spec, row = next((spec, row) for spec, row in zip(trained("paper", "paper"), rows(), strict=True) if spec.variant == variant)
    work = work_of(spec)
    assert row[2] == f"{work.parameters:,}"
    assert number(row[5]) == pytest.approx(work.step / 1e9, abs=0.05)
    assert number(row[6]) == work.launches


def test_the_pages_arithmetic_is_right() -> None:
    total = 0.0
    for row in rows():
        seconds = max(number(row[5]) * 1e9 / (ASSUMED.roof * ASSUMED.share), number(row[6]) * ASSUMED.launch)
        assert number(row[7]) == pytest.approx(1e3 * seconds, abs=0.06)
        assert number(row[8]) == pytest.approx(number(row[4]) * seconds / 3600, abs=0.06)
        total += number(row[4]) * seconds / 3600
    said = re.findall(
        r"One seed of all rows: ([\d,]+) GPU-hours; (\d+) seeds: ([\d,]+)\. On (\d+) GPUs, one a run:\n.* = ([\d,]+) hours", PAGE
    )
    (one, seeds, all_of_them, gpus, hours) = map(number, said[0])
    assert (seeds, gpus) == (SEEDS, GPUS)
    assert one == pytest.approx(total, abs=1)
    assert all_of_them == pytest.approx(SEEDS * total, abs=1)
    assert hours == pytest.approx(SEEDS * total / GPUS, abs=1)


def test_writing_the_table_leaves_the_page_around_it() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert written_into(page, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
