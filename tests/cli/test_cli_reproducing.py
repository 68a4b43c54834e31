"""The command that executes a run again is the one that its record says executed it; no suite is planned to guess it."""

import html
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.cli.reproducing import command_of, reproductions_of
from pixelbench.experiments.plan import make_plan
from pixelbench.reports.report import build_report
from pixelbench.store.record import Request
from pixelbench.store.record_file import read_record
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from tests.cli.cli_stores import Pixelbench, store_run
from tests.support.record_factory import as_schema_1, ask, rewrite

ODD_REQUEST = Request("run", "their suite.toml", "digits", "an odd budget", limit=7, precision="fp32")
COMMAND = (
    "pixelbench run --suite 'their suite.toml' --only digits/gated-no-gates --budget 'an odd budget' --limit 7 --precision fp32 --seeds 0"
)


@pytest.fixture
def spec(specs: list[RunSpec]) -> RunSpec:
    return next(spec for spec in specs if spec.variant == "gated-no-gates")


@pytest.fixture
def page(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """The page of the store, made without a plan."""

    def planned(*arguments: object, **named: object) -> None:
        raise AssertionError("a plan was made")

    def written() -> str:
        code, _, err = pixelbench("report", "--format", "html")
        assert code == 0, err
        return html.unescape(Path("runs/report.html").read_text(encoding="utf-8"))

    monkeypatch.setattr("pixelbench.experiments.plan.make_plan", planned)
    monkeypatch.setattr("pixelbench.suites.specs.specs_of", planned)
    return written


def test_a_stored_request_shows_up_on_the_page_and_no_plan_is_made(page: Callable[[], str], spec: RunSpec) -> None:
    store_run(Path("runs"), spec, request=ODD_REQUEST)
    assert COMMAND in page()


def test_of_two_requests_of_one_cell_each_has_its_seeds(page: Callable[[], str], spec: RunSpec) -> None:
    for seed, request in enumerate((ODD_REQUEST, ODD_REQUEST, Request("ablate", "gates", "digits", "cpu"))):
        store_run(Path("runs"), replace(spec, seed=seed), request=request)
    shown = page()
    assert f"{COMMAND},1" in shown
    assert "pixelbench ablate gates --task digits --budget cpu --seeds 2" in shown


def test_a_run_of_schema_1_does_not_know_its_command(page: Callable[[], str], spec: RunSpec) -> None:
    folder = store_run(Path("runs"), spec)
    assert "--seeds 0" in page()
    as_schema_1(folder)
    assert "--seeds 0" not in page()


@pytest.mark.parametrize(
    ("request_", "precision", "command"),
    [
        (Request("run", "quick", "photos", "quick"), "fp32", "run --suite quick --only photos/net --budget quick"),
        (Request("run", "quick", "photos", "quick", 5), "fp32", "run --suite quick --only photos/net --budget quick --limit 5"),
        (Request("run", "q", "photos", "b", None, "fp32"), "fp32", "run --suite q --only photos/net --budget b --precision fp32"),
        (Request("ablate", "gates", "photos", "cpu", 5), "fp32", "ablate gates --task photos --budget cpu --limit 5"),
        # What `auto` became on CUDA it would not become on a CPU.
        (Request("run", "quick", "photos", "quick"), "bf16", "run --suite quick --only photos/net --budget quick --precision bf16"),
        # A record keeps no paths.
        (Request("ablate", "gates", "folder-birds", "cpu"), "fp32", "ablate gates --task folder:PATH --budget cpu"),
    ],
)
def test_the_command_of_a_request(tmp_path: Path, request_: Request, precision: str, command: str) -> None:
    record = read_record(store_run(tmp_path, ask("net", recipe={"precision": precision}), request=request_))
    assert command_of(record, request_) == f"pixelbench {command}"


def test_the_command_asks_for_the_very_run(tmp_path: Path) -> None:
    """Planned as it is printed, it gives the run's key, also where the default device is another one now."""
    cells = make_plan(load_suite("quick"), tmp_path, only=["digits/gated-pixelcnn"], limit=9, device="cuda", budget="smoke").cells
    record = read_record(store_run(tmp_path, cells[0].spec, request=cells[0].request))
    words = command_of(record, cells[0].request).split()
    options = dict(zip(words[2::2], words[3::2], strict=True))
    again = make_plan(
        load_suite(options["--suite"]),
        tmp_path,
        only=[options["--only"]],
        budget=options["--budget"],
        limit=int(options["--limit"]),
        precision=options["--precision"],
        device="cpu",
    )
    assert [cell.spec.key for cell in again.cells] == [record.run_key]


@pytest.mark.slow
def test_a_copy_of_an_ablation_is_called_by_its_file(pixelbench: Pixelbench, tmp_path: Path) -> None:
    """Not by the name that stands in it, which is that of the original."""
    (tmp_path / "mine.toml").write_text(pixelbench("show", "gates", "--toml")[1], encoding="utf-8")
    code, _, err = pixelbench("ablate", "./mine.toml", "--budget", "smoke", "--limit", "2", "--device", "cpu", "--workers", "0")
    assert code == 0, err
    requests = [read_record(path.parent).request for path in (tmp_path / "runs").rglob("record.json")]
    assert requests == [Request("ablate", "mine.toml", "digits", "smoke", limit=2)] * 2


def test_what_a_suite_says_of_a_cell_holds_whatever_its_budget_is_called(tmp_path: Path) -> None:
    """The suite `mnist` calls its only budget `cpu`; a record may call the same length otherwise."""
    (cell,) = make_plan(load_suite("mnist"), tmp_path, only=["gated-pixelcnn"]).cells
    folder = store_run(tmp_path, cell.spec, request=cell.request)
    (requested,) = reproductions_of(build_report(tmp_path)).values()
    assert requested.assumed
    rewrite(folder, lambda record: replace(record, budget=replace(record.budget, name="half an hour")))
    assert [other.assumed for other in reproductions_of(build_report(tmp_path)).values()] == [requested.assumed]


def test_a_row_that_its_suite_has_no_longer_is_asked_for_by_another(tmp_path: Path) -> None:
    """Of the suite `quick`, say, which once had it; where none asks for exactly this cell there is no command."""
    (cell,) = make_plan(load_suite("mnist"), tmp_path, only=["gated-pixelcnn"]).cells
    store_run(tmp_path, cell.spec, request=replace(cell.request, suite="quick"))
    (requested,) = reproductions_of(build_report(tmp_path)).values()
    assert requested.command == "pixelbench run --suite mnist --only mnist-fixed/gated-pixelcnn --budget cpu"
    other = tmp_path / "other"
    store_run(other, replace(cell.spec, updates=cell.spec.updates + 1), request=replace(cell.request, suite="quick"))
    assert reproductions_of(build_report(other)) == {}


def test_nothing_is_said_of_a_cell_that_only_has_the_name_of_a_row(tmp_path: Path) -> None:
    (cell,) = make_plan(load_suite("mnist"), tmp_path, only=["gated-pixelcnn"]).cells
    store_run(tmp_path, replace(cell.spec, updates=cell.spec.updates + 1), request=cell.request)
    (requested,) = reproductions_of(build_report(tmp_path)).values()
    assert (requested.assumed, requested.deviations) == ((), ())
