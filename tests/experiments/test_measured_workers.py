"""`--workers auto`: the choice follows from the rates, is kept in the store, and a damaged file hurts nobody."""

from pathlib import Path

import pytest

from pixelbench.experiments import devices
from pixelbench.experiments.plan import Plan, make_plan
from pixelbench.experiments.schedule import measured_workers as module
from pixelbench.experiments.schedule.measured_workers import chosen, measured_workers, steps_a_second
from pixelbench.suites.load import load_suite
from tests.support.suite_file import tiny_plan, write_suite


@pytest.mark.parametrize(
    ("rates", "cells", "cores", "expected"),
    [
        ({1: 10.0, 2: 15.0, 4: 18.0, 8: 19.0}, 100, 8, (8, 1)),  # threads help little, and there is enough to do side by side
        ({1: 10.0, 2: 15.0, 4: 18.0, 8: 19.0}, 1, 8, (1, 8)),  # one run: whatever helps
        ({1: 10.0, 2: 9.0, 4: 5.0, 8: 2.0}, 1, 8, (1, 1)),  # a small network, whose threads wait for each other
        ({1: 10.0, 2: 20.0, 4: 20.0, 8: 20.0}, 4, 8, (4, 2)),
        ({1: 10.0, 2: 20.5}, 2, 2, (2, 1)),  # about equal: the fewest threads
        ({1: 1.0, 2: 2.0, 4: 4.0}, 3, 6, (3, 2)),  # not a power of two: three of two threads
        ({1: 1.0, 2: 1.1, 4: 4.0}, 3, 6, (1, 4)),
    ],
)
def test_the_most_steps_a_second_in_all(rates: dict[int, float], cells: int, cores: int, expected: tuple[int, int]):
    assert chosen(rates, cells, cores) == expected


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_cores", lambda: 4)
    monkeypatch.setattr(module, "allowed_threads", lambda: None)


def planned(tmp_path: Path, seeds: list[int]) -> Plan:
    return make_plan(load_suite(write_suite(tmp_path)), tmp_path / "runs", seeds=seeds)


@pytest.mark.usefixtures("four_cores")
def test_a_choice_is_measured_once_for_a_plan_and_kept(tmp_path: Path):
    notes: list[str] = []
    plan, asked = planned(tmp_path, [0, 1]), []

    def rates(named: object, counts: list[int]) -> dict[int, float]:
        asked.append(counts)
        return {1: 1.0, 2: 1.9, 4: 2.0}

    first = measured_workers(plan, notes.append, rates)
    assert asked == [[1, 2, 4]]
    assert measured_workers(plan, notes.append, lambda named, counts: {4: 1.0}) == first
    assert notes[0].startswith(f"{first[0]} workers of {first[1]} thread")
    assert "makes 1 with 1, 1.9 with 2, 2 with 4 updates a second by threads." in notes[0]
    assert notes[1].endswith("as was measured when these runs began.")
    kept = plan.store / "work" / "workers.json"
    for damage in ("", "[]", "{", '{"x": 1}', kept.read_text().replace("workers", "others")):
        kept.write_text(damage)
        assert measured_workers(plan, notes.append, rates) == first
    assert len(asked) == 6
    other = planned(tmp_path, [5])
    assert measured_workers(other, notes.append, lambda named, counts: {1: 1.0, 2: 1.0, 4: 9.0}) == (1, 4)
    assert measured_workers(plan, notes.append, rates) == first
    assert len(asked) == 6


def test_where_nothing_is_trained_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "available_cores", lambda: 4)
    monkeypatch.setattr(module, "allowed_threads", lambda: None)
    notes: list[str] = []
    assert measured_workers(tiny_plan(tmp_path, [1, 2]), notes.append, lambda named, counts: {}) == (2, 1)
    assert "nothing is trained" in notes[0]


def test_really_measured_rates_are_of_each_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import torch

    from pixelbench.experiments.bench.subjects import of_family

    monkeypatch.setattr(module, "_SECONDS", 0.0)
    before = torch.get_num_threads()
    found = steps_a_second(of_family("fvsbn", settings={}, shape=(1, 3, 3), batch=4), [1, 2])
    assert set(found) == {1, 2}
    assert min(found.values()) > 0
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags\t: fpu avx512_bf16 sse\nmodel name\t: One\n\nflags\t: fpu\n", (True, "One")),
        ("flags\t: fpu avx512f sse amx_tile\nmodel name\t: Two\n", (False, "Two")),
        ("flags\t: amx_bf16\n", (True, None)),
        ("Features\t: fp asimd bf16\n", (True, None)),
        ("Features\t: fp asimd\n", (False, None)),
        ("", (True, None)),
    ],
)
def test_what_linux_says_of_the_processor(monkeypatch: pytest.MonkeyPatch, text: str, expected: tuple[bool, str | None]):
    monkeypatch.setattr(Path, "read_text", lambda self, **named: text)
    monkeypatch.setattr(devices.platform, "processor", lambda: "")
    assert (devices.has_bf16(), devices.processor_name()) == expected
