"""`run`: what it says, what it writes, how it exits. The runs themselves are executed by a stand-in, but for one real pair."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelbench.experiments.plan import Plan
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.store.record import Causality, Request, RunError
from pixelbench.store.record_file import read_record
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import suite_names
from tests.cli.cli_stores import Pixelbench, only_json, store_run

DIGITS = ("run", "--suite", "quick", "--only", "digits/*", "--device", "cpu")
LEAK = Causality("leaky", 0.5, 1e-10, "output 3 sees sub-pixel 3")


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """`run_plan` stores plausible runs at once; returns the options that it was called with."""
    calls: list[dict[str, Any]] = []

    def run_plan(plan: Plan, *, on_event: Callable[[dict[str, Any]], None], **options: Any) -> Outcome:
        calls.append(options)
        for cell in plan.to_run:
            on_event({"event": "start", "run": cell.spec.label, "key": cell.spec.key})
            on_event({"event": "stage", "stage": "train", "run": cell.spec.label, "key": cell.spec.key})
            store_run(plan.store, cell.spec, request=cell.request)
            end = {"status": "done", "elsewhere": False, "bits_per_dim": 1.5, "causal": cell.spec.expect, "seconds": 12.0, "error": None}
            on_event({"event": "end", "run": cell.spec.label, "key": cell.spec.key, **end})
        return Outcome(done=plan.to_run)

    monkeypatch.setattr("pixelbench.experiments.schedule.scheduler.run_plan", run_plan)
    return calls


@pytest.mark.by_default("quick", "table4")
@pytest.mark.parametrize("suite", suite_names())
def test_every_suite_that_ships_ends_with_pages(suite: str, pixelbench: Pixelbench, executed: list[dict[str, Any]], tmp_path: Path) -> None:
    code, _, err = pixelbench("run", suite, "--device", "cpu", "--workers", "1")
    assert (code, len(executed)) == (0, 1), err
    page = (tmp_path / "runs" / "report.html").read_text(encoding="utf-8")
    assert f"pixelbench run --suite {suite} " in page


def test_first_run_executes_all_and_reports(pixelbench: Pixelbench, executed: list[dict[str, Any]], tmp_path: Path) -> None:
    code, out, err = pixelbench(*DIGITS, "--workers", "2", "--max-seconds", "9", "--micro-batch", "16", "--fail-fast")
    assert code == 0
    assert executed[0].pop("note")
    given = {"workers": 2, "device": "cpu", "max_seconds": 9.0, "micro_batch": 16, "fail_fast": True, "world_size": 1}
    assert executed == [given | {"compile": "off", "sample_batch": None, "patience": None}]
    assert "gated-pixelcnn" in out
    assert "Ablation: A residual connection around the first layer" in out
    assert "digits/gated-pixelcnn seed 0: started" in err
    assert "digits/gated-residual seed 0: done, 1.500 bits/dim (not causal), 12 s" in err
    assert err.endswith("Report: runs/report.md and runs/report.html\n")
    assert (tmp_path / "runs" / "report.md").read_text(encoding="utf-8").startswith("# PixelBench report")


def test_what_the_machine_is_asked_for_goes_through(pixelbench: Pixelbench, executed: list[dict[str, Any]]) -> None:
    assert pixelbench(*DIGITS, "--workers", "auto", "--compile", "auto", "--sample-batch", "auto")[0] == 0
    assert (executed[0]["workers"], executed[0]["compile"], executed[0]["sample_batch"]) == ("auto", "auto", 0)


@pytest.mark.parametrize("option", [("--workers", "many"), ("--workers", "-1"), ("--sample-batch", "0"), ("--compile", "perhaps")])
def test_another_value_is_one_sentence(pixelbench: Pixelbench, executed: list[dict[str, Any]], option: tuple[str, str]) -> None:
    code, out, err = pixelbench(*DIGITS, *option)
    assert (code, out, executed) == (2, "", [])
    assert err.count("\n") == 1
    assert option[0] in err


def test_second_run_has_nothing_left_to_do(pixelbench: Pixelbench, executed: list[dict[str, Any]], specs: list[RunSpec]) -> None:
    pixelbench(*DIGITS)
    code, out, err = pixelbench(*DIGITS)
    assert code == 0
    assert len(executed) == 1
    assert f"Nothing left to do: {len(specs)} of {len(specs)} runs are stored.\n" in err
    assert "gated-pixelcnn" in out


def test_the_page_shows_the_whole_store_the_terminal_what_was_asked_for(pixelbench: Pixelbench, executed: list[dict[str, Any]]) -> None:
    pixelbench(*DIGITS)
    out = pixelbench("run", "--suite", "quick", "--only", "photos/histogram", "--device", "cpu")[1]
    assert "digits" not in out
    page = Path("runs/report.md").read_text(encoding="utf-8")
    assert "## digits" in page
    assert "## photos" in page


def test_dry_run_executes_nothing(pixelbench: Pixelbench, executed: list[dict[str, Any]], tmp_path: Path) -> None:
    code, out, err = pixelbench(*DIGITS, "--dry-run")
    assert (code, executed) == (0, [])
    assert "gated-pixelcnn" in out
    assert err.endswith("runs to execute.\n")
    assert only_json(pixelbench(*DIGITS, "--dry-run", "--json")[1])["suite"] == "quick"
    assert not (tmp_path / "runs").exists()


def test_json_is_one_document(pixelbench: Pixelbench, executed: list[dict[str, Any]], specs: list[RunSpec]) -> None:
    code, out, _ = pixelbench(*DIGITS, "--json")
    document = only_json(out)
    assert code == 0
    assert document["report"] == "runs/report.md"
    assert [run["status"] for run in document["runs"]] == ["done"] * len(specs)
    assert document["tasks"][0]["task"] == "digits"
    assert document["faults"] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "diverged"}, "digits/pixelcnn seed 0 ended as diverged"),
        ({"status": "failed", "error": RunError("X", "out of luck")}, "seed 0 ended as failed: out of luck"),
        ({"causality": LEAK}, "digits/pixelcnn seed 0 is not causal, and the suite does not declare it: output 3 sees sub-pixel 3"),
    ],
)
def test_failures_and_undeclared_leaks_are_1(pixelbench: Pixelbench, specs: list[RunSpec], changes: dict[str, Any], said: str) -> None:
    for spec in specs:
        store_run(Path("runs"), spec, **(changes if spec.variant == "pixelcnn" else {}))
    code, _, err = pixelbench(*DIGITS)
    assert code == 1
    assert said in err
    assert only_json(pixelbench(*DIGITS, "--json")[1])["faults"][0] in err


def test_a_declared_leak_that_is_not_found_is_1(pixelbench: Pixelbench, specs: list[RunSpec]) -> None:
    for spec in specs:
        found: dict[str, Any] = {"causality": Causality("complete")} if spec.expect == "leaky" else {}
        store_run(Path("runs"), spec, **found)
    code, _, err = pixelbench(*DIGITS)
    assert code == 1
    assert "digits/gated-residual seed 0 is declared to leak, but no leak was found" in err


def test_a_run_that_does_not_add_up_or_is_damaged_is_1_until_it_is_made_again(
    pixelbench: Pixelbench, executed: list[dict[str, Any]], specs: list[RunSpec]
) -> None:
    folders = {spec.variant: store_run(Path("runs"), spec) for spec in specs}
    (folders["pixelcnn"] / "nats.npz").unlink()
    (folders["uniform"] / "record.json").write_text("{", encoding="utf-8")
    code, _, err = pixelbench(*DIGITS)
    assert (code, executed) == (1, [])
    assert f"{len(specs) - 2} of {len(specs)} runs are stored, 2 failed before (`--rerun failed` tries again)." in err
    assert f"{folders['pixelcnn'].name}/record.json does not add up, so it is not ranked, compared or judged: nats.npz is missing" in err
    assert f"{folders['uniform'].name}/record.json is damaged" in err
    for folder in (folders["pixelcnn"], folders["uniform"]):
        shutil.rmtree(folder)
    assert pixelbench(*DIGITS)[0] == 0
    assert len(executed) == 1


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(plan: Plan, **_: object) -> Outcome:
        return Outcome(done=plan.to_run[:2], remaining=plan.to_run[2:], signal=2)

    monkeypatch.setattr("pixelbench.experiments.schedule.scheduler.run_plan", stopped)
    monkeypatch.setattr("sys.argv", ["/somewhere/pixelbench", "run", "--only", "digits/*"])
    code, out, err = pixelbench(*DIGITS)
    assert (code, out) == (130, "")
    assert "what is finished is kept" in err
    assert err.endswith("Go on with: pixelbench run --only 'digits/*'\n")


def test_really_from_suite_to_report(pixelbench: Pixelbench, tmp_path: Path) -> None:
    arguments = ("run", "--suite", "quick", "--only", "digits/uniform", "--only", "digits/png", "--budget", "smoke", "--workers", "0")
    code, out, err = pixelbench(*arguments, "--device", "cpu", "--json")
    assert code == 0, err
    rows = only_json(out)["tasks"][0]["rows"]
    assert [(row["label"], row["standing"]) for row in rows] == [("uniform", "ranked"), ("png", "reference")]
    assert rows[0]["bits_per_dim"] == pytest.approx(4.0875, abs=1e-3)  # log2 17
    records = [read_record(path.parent) for path in (tmp_path / "runs").rglob("record.json")]
    assert [record.request for record in records] == [Request("run", "quick", "digits", "smoke")] * 2
    before = (tmp_path / "runs" / "report.md").stat().st_mtime_ns
    assert "Nothing left to do: 2 of 2 runs are stored." in pixelbench(*arguments)[2]
    assert (tmp_path / "runs" / "report.md").stat().st_mtime_ns == before
