"""Maps take memory for the positions they reach, and are asked for no more positions than fit."""

import resource
from collections.abc import Iterator

import pytest
import torch

from pixelbench.causality import CausalityReport, check, check_causality
from pixelbench.causality.limits import memory
from pixelbench.causality.limits.memory import affordable_positions, available_memory
from tests.causality.nets import LEVELS, Net

SHAPE = (1, 4, 5)


@pytest.fixture
def limit() -> Iterator[None]:
    """Restores the limit on what this process may take."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.mark.usefixtures("limit")
def test_a_limit_of_the_process_counts() -> None:
    used = memory._fields(memory.Path("/proc/self/status"))["VmData"]
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (used + 2**28, hard))
    assert 0 < available_memory() <= 2**28
    resource.setrlimit(resource.RLIMIT_DATA, (2**20, hard))
    assert available_memory() == 0


@pytest.mark.parametrize(("free", "shape", "all_fit"), [(4 * 2**30, (3, 32, 32), True), (4 * 2**30, (3, 256, 256), False)])
def test_how_many_positions_fit(monkeypatch: pytest.MonkeyPatch, free: int, shape: tuple[int, int, int], all_fit: bool) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    size = shape[0] * shape[1] * shape[2]
    count = affordable_positions(shape)
    assert (count >= size) is all_fit
    assert all_fit or count * size * 8 < free / 2


def test_a_few_positions_always_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 0)
    assert affordable_positions((3, 1024, 1024)) == 16


def test_what_does_not_fit_is_not_claimed_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "affordable_positions", lambda shape: 7)
    report = checked()
    assert (report.verdict, report.positions_probed, report.positions_total) == ("partial", 7, 20)
    assert report.method.probes.startswith("7 of 20 sub-pixels (as many as fit into memory: corners, borders, ")
    monkeypatch.undo()
    assert "memory" not in checked().method.probes


def test_what_time_did_not_reach_is_not_blamed_on_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "affordable_positions", lambda shape: 7)
    report = checked(seconds=1e-6)
    assert report.positions_probed == 1
    assert "memory" not in report.method.probes


def test_the_same_map_in_any_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from pixelbench.causality.analysis import offsets

    whole = [checked(), checked(leaks=True)]
    monkeypatch.setattr(offsets, "_PAIRS", 30)
    monkeypatch.setattr(check, "_SORTED", 3)
    assert [checked(), checked(leaks=True)] == whole


def checked(*, leaks: bool = False, **options: object) -> CausalityReport:
    torch.manual_seed(0)
    net = Net(1)
    if leaks:
        net.register_forward_hook(lambda module, entered, output: output + 0.01 * entered[0][:, None])
    return check_causality(net, SHAPE, levels=LEVELS, **options)  # type: ignore[arg-type]
