"""`ablate`: what it executes, shares and says. The runs themselves are executed by a stand-in."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelbench.data.folder import VARIABLE
from pixelbench.experiments.plan import Plan
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.store.record import Causality
from tests.cli.cli_stores import Pixelbench, only_json, store_run
from tests.support.record_factory import rewrite

LEAK = ("ablate", "first-layer-residual", "--task", "digits", "--device", "cpu")


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """`run_plan` stores plausible runs at once; returns what was executed, in order."""
    labels: list[str] = []

    def run_plan(plan: Plan, *, on_event: Callable[[dict[str, Any]], None], **_: Any) -> Outcome:
        for cell in plan.to_run:
            labels.append(cell.spec.label)
            store_run(plan.store, cell.spec, request=cell.request)
        return Outcome(done=plan.to_run)

    monkeypatch.setattr("pixelbench.experiments.schedule.scheduler.run_plan", run_plan)
    return labels


def test_baseline_and_variants_are_executed_once_and_a_leak_by_design_is_a_success(pixelbench: Pixelbench, executed: list[str]) -> None:
    code, out, err = pixelbench(*LEAK)
    assert code == 0, err
    assert executed == ["digits/gated-pixelcnn seed 0", "digits/gated-residual seed 0"]
    assert "gated-residual" in out
    assert "not causal" in out
    assert err.endswith("Report: runs/report.md and runs/report.html\n")
    assert "gated-residual" in Path("runs/report.md").read_text(encoding="utf-8")
    code, out, err = pixelbench(*LEAK)
    assert (code, len(executed)) == (0, 2)
    assert "gated-residual" in out
    assert "Nothing left to do: 2 of 2 runs are stored." in err


def test_another_ablation_and_the_quick_suite_share_the_baseline(pixelbench: Pixelbench, executed: list[str]) -> None:
    pixelbench(*LEAK)
    pixelbench("ablate", "gates", "--device", "cpu")
    assert executed[2:] == ["digits/gated-no-gates seed 0"]
    plan = only_json(pixelbench("plan", "--suite", "quick", "--only", "digits/gated-*", "--device", "cpu", "--json")[1])
    assert {run["variant"] for run in plan["runs"] if run["state"] == "stored"} == {"gated-pixelcnn", "gated-residual", "gated-no-gates"}


def test_what_is_stored_is_shown_without_torch(pixelbench: Pixelbench, executed: list[str]) -> None:
    pixelbench(*LEAK)
    program = (
        f"import sys; from pixelbench.cli.main import main\ntry:\n    main({list(LEAK)!r})\n"
        "except SystemExit as ended:\n    print(ended.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"
    assert "gated-residual" in done.stdout


def test_own_task_and_seeds(pixelbench: Pixelbench) -> None:
    plan = only_json(pixelbench("ablate", "colour-conditioning", "--seeds", "0-1", "--dry-run", "--json")[1])
    assert [(run["task"], run["variant"], run["seed"]) for run in plan["runs"]] == [
        ("photos", variant, seed) for variant in ("gated-pixelcnn", "gated-no-colour") for seed in (0, 1)
    ]
    assert not Path("runs").exists()


def test_json_says_what_was_asked(pixelbench: Pixelbench, executed: list[str]) -> None:
    document = only_json(pixelbench(*LEAK, "--json")[1])
    assert (document["ablation"], document["task"], document["baseline"]) == ("first-layer-residual", "digits", "gated-pixelcnn")
    assert document["question"].endswith("?")
    assert [run["status"] for run in document["runs"]] == ["done", "done"]
    assert document["faults"] == []


def test_an_undeclared_leak_is_1(pixelbench: Pixelbench, executed: list[str], tmp_path: Path) -> None:
    text = pixelbench("show", "first-layer-residual", "--toml")[1].replace('expect = "leaky"\n', "")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    pixelbench("ablate", "mine.toml", "--task", "digits", "--device", "cpu")
    (folder,) = Path("runs/digits/gated-residual").iterdir()
    rewrite(folder, lambda record: replace(record, causality=Causality("leaky", 0.5, 1e-10, "output 3 sees sub-pixel 3")))
    code, _, err = pixelbench("ablate", "mine.toml", "--task", "digits", "--device", "cpu")
    assert code == 1
    assert "digits/gated-residual seed 0 is not causal, and the suite does not declare it" in err


def test_a_copy_is_an_ablation_too(pixelbench: Pixelbench, executed: list[str], tmp_path: Path) -> None:
    text = pixelbench("show", "gates", "--toml")[1].replace("gated-no-gates", "relu")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    assert pixelbench("ablate", "mine.toml", "--device", "cpu")[0] == 0
    assert executed == ["digits/gated-pixelcnn seed 0", "digits/relu seed 0"]
    (tmp_path / "mine.toml").write_text(text.replace("gates = false", "gates = false, kernel = 5"), encoding="utf-8")
    code, out, _ = pixelbench("ablate", "mine.toml", "--device", "cpu")
    assert code == 0
    assert "What is tanh times sigmoid worth" in out
    assert "(ReLU; kernel 5 instead of 3, gates False instead of True)" in " ".join(out.split())


def test_missing_images_are_wrong_use(pixelbench: Pixelbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "empty"))
    code, out, err = pixelbench("ablate", "gates", "--task", "mnist-threshold", "--no-fetch")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "mnist-threshold" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["colour-conditionin"], "Unknown ablation 'colour-conditionin'. Did you mean 'colour-conditioning'?"),
        (["quick"], "Unknown ablation 'quick'."),
        (["gates", "--task", "digit"], "Unknown task 'digit'. Did you mean 'digits'?"),
        (["colour-conditioning", "--task", "digits"], "makes no sense on 'digits'; it is for photos"),
        (["gates", "--budget", "short-"], "Did you mean 'short'?"),
        (["gates", "--seeds", "x"], "Seeds are whole numbers"),
        (["nowhere.toml"], "There is no suite file 'nowhere.toml'"),
    ],
)
def test_wrong_use_of_ablate(pixelbench: Pixelbench, arguments: list[str], said: str) -> None:
    code, out, err = pixelbench("ablate", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_ablations_are_listed(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = pixelbench("list", "ablations")[1]
    assert max(map(len, out.splitlines())) <= 80
    assert "gated-pixelcnn against gated-one-stack, gated-legacy" in out
    found = {entry["name"]: entry for entry in json.loads(pixelbench("list", "ablations", "--json")[1])}
    assert len(found) == 10
    assert found["gates"]["variants"] == ["gated-no-gates"]
    assert found["gates"]["default_task"] == "digits"
    assert "digits" not in found["colour-conditioning"]["tasks"]
    assert "gates" not in [suite["name"] for suite in json.loads(pixelbench("list", "suites", "--json")[1])]


def test_an_ablation_is_shown_as_any_suite(pixelbench: Pixelbench) -> None:
    out = pixelbench("show", "gates")[1]
    assert "What is tanh times sigmoid worth beside a ReLU? Compared with gated-pixelcnn, on digits unless another task is named." in out
    assert "gates = false" in out
    assert only_json(pixelbench("show", "gates", "--json")[1])["ablation"]["task"] == "digits"
    assert 'extends = "ablation-base"' in pixelbench("show", "gates", "--toml")[1]
    assert "leave one of the two out" in pixelbench("show", "gates", "--toml", "--json")[2]


def test_help_of_ablate_shows_examples(pixelbench: Pixelbench) -> None:
    code, out, err = pixelbench("ablate", "--help")
    assert (code, err, out.count("Example: pixelbench ablate")) == (0, "", 2)
    assert "ablate" in pixelbench("--help")[1]


def test_an_ablation_of_ones_own_has_its_section_in_every_report_of_its_suite(pixelbench: Pixelbench, executed: list[str]) -> None:
    Path("ema.toml").write_text(
        'name = "ema"\nextends = "quick"\ntasks = ["digits"]\nvariants = ["gated-pixelcnn"]\n'
        '[ablation]\nquestion = "What does an average of the weights bring?"\nbaseline = "gated-pixelcnn"\ntask = "digits"\n'
        'words = { gated-no-ema = "no average" }\n'
        '[[variant]]\nname = "gated-no-ema"\nfamily = "gated-pixelcnn"\nrecipe = { ema = 0.0 }\n',
        encoding="utf-8",
    )
    code, out, err = pixelbench("ablate", "./ema.toml", "--seeds", "0", "--device", "cpu")
    assert code == 0, err
    assert executed == ["digits/gated-pixelcnn seed 0", "digits/gated-no-ema seed 0"]
    assert "What does an average of the weights bring?" in out
    assert "no average" in out
    assert "### Ablation: ema" in Path("runs/report.md").read_text(encoding="utf-8")
    shown = only_json(pixelbench("report", "--suite", "./ema.toml", "--json")[1])
    assert [(one["name"], one["baseline"]) for one in shown["ablations"]] == [("ema", "gated-pixelcnn")]
    assert only_json(pixelbench("report", "--json")[1])["ablations"] == []
