"""Errors are one sentence with the nearest valid name and exit code 2, never a traceback."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pixelbench.cli.arguments.options import parse_seeds
from tests.cli.cli_stores import Pixelbench

WITH_SEED = ("check", "eval", "fidelity", "measure", "sample", "sheet")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--suite", "quik"], "Unknown suite 'quik'. Did you mean 'quick'?"),
        (["plan", "--suite", "quick.tml.toml"], "quick.tml.toml"),
        (["run", "--suite", "quick", "--budget", "smok"], "Did you mean 'smoke'?"),
        (["run", "--suite", "quick", "--device", "cuda0"], "Unknown device 'cuda0'. Did you mean 'cuda:0'?"),
        (["run", "--suite", "quick", "--precision", "fp16"], "Unknown precision 'fp16'"),
        (["run", "--suite", "quick", "--seeds", "2-0"], "got '2-0'"),
        (["plan", "--suite", "quick", "--shard", "2"], "such as 1/3, the first of three machines; got '2'"),
        (["run", "--suite", "quick", "--shard", "5/2"], "--shard i/n needs 1 <= i <= n, got 5/2"),
        (["plan", "--suite", "quick", "--seeds", "a"], "such as 0-2 or 0,3; got 'a'"),
        (["plan", "--suite", "quick", "--seeds", str(10**30)], f"Seeds are whole numbers below 2^63; got '{10**30}'."),
        (["plan", "--suite", "quick", "--seeds", f"0-{2**63}"], "below 2^63"),
        (["plan", "--suite", "quick", "--seeds", "0-10000"], "At most 10,000 seeds can be asked for at once; got '0-10000'."),
        (["plan", "--suite", "quick", "--seeds", f"0-{2**63 - 1}"], "At most 10,000 seeds"),
        (["run", "--suite", "quick", "--limit", "0"], "--limit"),
        (["show", "quikc"], "Did you mean 'quick'?"),
        (["list", "task"], "Unknown list 'task'. Did you mean 'tasks'?"),
        (["pln"], "Did you mean 'plan'?"),
        (["run", "--suit", "quick"], "--suite"),
        (["report"], "There is no results folder 'runs'"),
        (["status", "--results", "nowhere"], "There is no results folder 'nowhere'"),
        (["sample", "digits/pixelcnn"], "There is no results folder 'runs'"),
        (["report", "--out", "x", "--format", "terminal"], "leave out --format terminal"),
        (["report", "--out", "x.html"], "--out names the folder that the pages go into"),
        (["report", "--format", "md,htm"], "Unknown format 'htm'. Did you mean 'html'?"),
        (["sample", "x", "--temperature", "0"], "--temperature must be above 0"),
        (["sample", "x", "--complete", "1.5"], "between 0 and 1"),
        *(([name, "x", "--seed", str(2**63)], f"Seeds are whole numbers below 2^63; got '{2**63}'.") for name in WITH_SEED),
    ],
)
def test_wrong_use(pixelbench: Pixelbench, arguments: list[str], said: str) -> None:
    code, out, err = pixelbench(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_nothing_matched_is_3(pixelbench: Pixelbench) -> None:
    code, out, err = pixelbench("run", "--suite", "quick", "--only", "photos/gated-pixelcn")
    assert (code, out) == (3, "")
    assert "did you mean 'photos/gated-pixelcnn'?" in err


def test_seeds_at_the_limits_are_taken(pixelbench: Pixelbench) -> None:
    code, out, _ = pixelbench("plan", "--suite", "quick", "--only", "digits/uniform", "--seeds", f"{2**63 - 1},3-4", "--json")
    assert code == 0
    assert [run["seed"] for run in json.loads(out)["runs"]] == [3, 4, 2**63 - 1]
    assert len(parse_seeds("0-9999") or ()) == 10_000


def test_a_wrong_claim_is_wrong_use_and_touches_nothing(pixelbench: Pixelbench, tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    claim = '[[claim]]\ntask = "digits"\nvariant = "uniform"\nvalue = 4.09\nunit = "bits/dim"\nsource = "here"\n'
    for old, new, said in (
        ("digits", "digit", "Did you mean 'digits'?"),
        ("bits/dim", "bits", "did you mean 'bits/dim'?"),
        ('source = "here"', "", "claim.digits/uniform.source: is missing."),
    ):
        suite.write_text('extends = "quick"\nname = "mine"\n' + claim.replace(old, new), encoding="utf-8")
        for command in (["run", "--suite"], ["plan", "--suite"], ["show"]):
            code, out, err = pixelbench(*command, str(suite))
            assert (code, out, err.count("\n")) == (2, "", 1)
            assert said in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.toml"]


def test_toml_errors_name_their_place(pixelbench: Pixelbench, tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    suite.write_text('extends = "quick"\nname = "mine"\n[recipe]\nlearning_rate = "fast"\n', encoding="utf-8")
    code, _, err = pixelbench("run", "--suite", str(suite))
    assert code == 2
    assert "learning_rate: expected a number" in err
    suite.write_text("name = \n", encoding="utf-8")
    code, _, err = pixelbench("run", "--suite", str(suite))
    assert code == 2
    assert "not valid TOML" in err


def test_wrong_task_and_model_in_a_suite(pixelbench: Pixelbench, tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    text = 'extends = "quick"\nname = "mine"\n[[task]]\nname = "digit"\n[[variant]]\nname = "v"\nfamily = "pixelcn"\n'
    suite.write_text(text, encoding="utf-8")
    code, _, err = pixelbench("plan", "--suite", str(suite))
    assert code == 2
    assert "Did you mean 'digits'?" in err
    assert "Did you mean 'pixelcnn'?" in err


def test_results_that_are_a_file(pixelbench: Pixelbench, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine", encoding="utf-8")
    for command in (["run", "--suite", "quick"], ["report"], ["status"]):
        code, _, err = pixelbench(*command)
        assert code == 2
        assert "is a file" in err
    assert (tmp_path / "runs").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_or_closed_disk_is_one_sentence(
    pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no such luck", "runs/report.md")

    (tmp_path / "runs").mkdir()
    monkeypatch.setattr("pixelbench.reports.report.build_report", refuse)
    code, _, err = pixelbench("report")
    assert code == 2
    assert err == "Cannot use 'runs/report.md': no such luck. Free or fix it, or choose another folder with --results DIR.\n"


def test_our_own_faults_are_not_hidden(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fault(*_: object) -> None:
        raise OSError(errno.EBADF, "bad file descriptor")

    (tmp_path / "runs").mkdir()
    monkeypatch.setattr("pixelbench.reports.report.build_report", fault)
    with pytest.raises(OSError, match="bad file descriptor"):
        pixelbench("report")


def test_ctrl_c_outside_a_run_is_130(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "runs").mkdir()
    monkeypatch.setattr("pixelbench.reports.report.build_report", interrupt)
    assert pixelbench("report")[0] == 130


def test_a_reader_that_goes_away_is_no_failure() -> None:
    """`pixelbench list models | head -1`, with a table and with JSON."""
    for arguments in ("list models", "list models --json"):
        command = f"{sys.executable} -c 'from pixelbench.cli.main import main; main()' {arguments}"
        ended = subprocess.run(["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=True)
        assert (ended.stdout, ended.stderr) == ("0\n", "")
