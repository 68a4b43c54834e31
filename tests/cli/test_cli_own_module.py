"""A network of one's own in a suite beside ours, and by `eval` from its weights: docs/your-model.md, executed."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cli_stores import Pixelbench

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "your-model.md").read_text()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user with the example's files."""
    monkeypatch.setenv("PIXELBENCH_MODULES", "")  # what a suite adds to it is gone after the test
    for file in (ROOT / "examples" / "own-module").iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


def run_digits(pixelbench: Pixelbench, *more: str) -> tuple[int, str, str]:
    return pixelbench("run", "--suite", "suite.toml", "--budget", "smoke", "--only", "digits/mine", "--seeds", "0", "--workers", "0", *more)


def in_a_process(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since one reads and imports each file once."""
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def record_of(place: Path, variant: str = "mine") -> dict[str, Any]:
    (path,) = (place / "runs" / "digits" / variant).glob("*/record.json")
    return json.loads(path.read_text())


def test_it_is_certified_trained_drawn_and_reported(pixelbench: Pixelbench, place: Path) -> None:
    code, out, err = run_digits(pixelbench)
    assert code == 0, out + err
    record = record_of(place)
    assert (record["status"], record["causality"]["status"], record["samples"]["method"]) == ("done", "complete", "naive")
    assert record["variant"]["family"] == "my_net.py:MyNet"
    assert str(place) not in json.dumps({name: record[name] for name in ("variant", "recipe", "provenance")})
    assert record["behaviour"] is not None
    assert "2.02" in (place / "runs" / "report.md").read_text()

    _, out, err = run_digits(pixelbench)
    assert "Nothing left to do" in out + err


@pytest.mark.slow
def test_an_edited_file_is_other_code(pixelbench: Pixelbench, place: Path) -> None:
    run_digits(pixelbench)
    source = (place / "my_net.py").read_text()
    (place / "my_net.py").write_text(source.replace("F.relu(layer(h))", "F.elu(layer(h))"))
    done = in_a_process(place, "verify", "runs", "--behaviour", "--json")
    assert done.returncode == 1, done.stderr
    assert "stale" in done.stdout


@pytest.mark.slow
def test_the_same_weights_give_the_same_numbers_by_eval(pixelbench: Pixelbench, place: Path) -> None:
    from safetensors.torch import load_file, save_file

    run_digits(pixelbench)
    (stored,) = (place / "runs" / "digits" / "mine").glob("*/weights.safetensors")
    prefix = "model.module."
    weights = {name.removeprefix(prefix): value for name, value in load_file(stored).items() if name.startswith(prefix)}
    save_file(weights, place / "w.safetensors")
    read = ("--head", "categorical", "--input", "unit", "--output", "b (c k) h w", "--samples", "2")
    asked = ("eval", "my_net.py:MyNet", "--task", "digits", "--weights", "w.safetensors", *read, "--json")
    code, out, err = pixelbench(*asked, "--claim", "2.02", "--source", "my paper")
    assert code == 0, err
    evaluation, record = json.loads(out), record_of(place)
    assert evaluation["likelihood"]["nats_per_image"] == pytest.approx(record["likelihood"]["nats_per_image"], rel=1e-7)
    (neighbour,) = evaluation["neighbours"]
    assert neighbour["behind"] == pytest.approx(0.0, abs=1e-4)  # image by image
    assert evaluation["claim"]["verdict"] == "worse"
    assert pixelbench(*asked, "--store", "--name", "given")[0] == 0
    kept = record_of(place, "given")
    assert kept["recipe"] is None
    assert kept["variant"]["settings"]["weights"] == evaluation["weights"]
    code, out, _ = pixelbench("report", "--format", "terminal")
    assert code == 0
    assert "not trained here" in out
    assert pixelbench("verify", "runs", "--rescore", "8")[0] == 0
    code, out, _ = pixelbench("eval", "digits/mine", "--samples", "0", "--json")
    assert json.loads(out)["likelihood"]["nats_per_image"] == pytest.approx(record["likelihood"]["nats_per_image"], rel=1e-7)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("eval", "my_net.py:MyNet"), "--task"),
        (("eval", "my_net.py:MyNet", "--task", "digitz"), "Did you mean 'digits'?"),
        (("eval", "my_net.py:MyNat", "--task", "digits"), "Did you mean 'MyNet'?"),
        (("eval", "other.py:MyNet", "--task", "digits"), "There is no file 'other.py'"),
        (("eval", "my_net.py:MyNet", "--task", "digits", "--weights", "none.pt"), "cannot be read"),
        (("eval", "my_net.py:MyNet", "--task", "digits", "--head", "bernoulli"), "2 levels"),
        (("eval", "my_net.py:MyNet", "--task", "digits", "--claim", "good"), "--claim takes a number"),
        (("eval", "my_net.py:MyNet", "--task", "digits", "--unit", "dits"), "--unit must be nats or bits"),
        (("eval", "my_net.py:MyNet", "--task", "digits", "--condition", "labels", "--set", "maps=4"), "labels"),
        (("eval", "gated-pixelcnn", "--task", "digits", "--head", "categorical"), "knows how it is read"),
        (("eval", "digits/none"), "There is no results folder"),
        (("eval", "my_net.py:MyNet", "--task", "digits", "--store"), "--store keeps modules of your own with --weights"),
        (("eval", "digits/none", "--task", "digits"), "names no module or family"),
        (("eval", "my_net.py:MyNet", "--task", "digits", "--claim", "2", "--source", " "), "--source says where the claim stands"),
        (("eval", "my_net.py:MyNet", "--task", "digits", "--name", "mine"), "--name is for --store"),
        (("eval", "my_net.py:MyNet", "--task", "digits", "--samples", "0", "--out", "x.png"), "--samples 0 draws nothing for --out"),
    ],
)
def test_wrong_use_is_one_sentence(pixelbench: Pixelbench, place: Path, wrong: tuple[str, ...], said: str) -> None:
    code, out, err = pixelbench(*wrong)
    assert code == 2, out + err
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("wrong", "said"), [(("--name", "a/b"), "--name holds letters"), (("--samples", "0"), "--samples 0 draws none")])
def test_what_cannot_be_kept_is_said_before_it_is_evaluated(pixelbench: Pixelbench, place: Path, wrong: tuple[str, ...], said: str) -> None:
    import torch

    from pixelbench.models.families import create_model

    net = create_model("my_net.py:MyNet", channels=1, height=8, width=8, levels=17, module={"output": "b (c k) h w"})
    torch.save(net.module.state_dict(), place / "w.pt")
    read = ("--weights", "w.pt", "--output", "b (c k) h w")
    code, _, err = pixelbench("eval", "my_net.py:MyNet", "--task", "digits", *read, "--store", *wrong)
    assert (code, "Scoring" in err) == (2, False), err
    assert said in err


def test_weights_that_do_not_fit_are_named(pixelbench: Pixelbench, place: Path) -> None:
    import torch

    torch.save({"state_dict": {f"layer.{i}": torch.zeros(1) for i in range(5)}}, place / "w.pt")
    code, _, err = pixelbench("eval", "my_net.py:MyNet", "--task", "digits", "--weights", "w.pt")
    assert code == 2
    assert "missing (first.bias, first.mask, first.weight, …)" in err
    assert "5 superfluous (layer.0, layer.1, layer.2, …)" in err


def test_a_pickle_is_not_executed(pixelbench: Pixelbench, place: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (place / "executed",)

    (place / "w.pt").write_bytes(pickle.dumps(Evil()))
    code, _, err = pixelbench("eval", "my_net.py:MyNet", "--task", "digits", "--weights", "w.pt")
    assert code == 2
    assert "safetensors" in err
    assert not (place / "executed").exists()


@pytest.mark.slow
def test_a_leaking_network_fails_and_says_what_it_is_worth(pixelbench: Pixelbench, place: Path) -> None:
    source = (place / "my_net.py").read_text()
    (place / "my_net.py").write_text(source.replace("0 if first else 1", "1"))
    code, out, _ = pixelbench("eval", "my_net.py:MyNet", "--task", "digits", "--limit", "8", "--samples", "0", "--output", "b (c k) h w")
    assert code == 1
    assert "Not causal" in out
    assert "the number above means nothing" in out


def test_two_files_of_one_name_do_not_mix(pixelbench: Pixelbench, place: Path) -> None:
    (place / "other").mkdir()
    (place / "other" / "my_net.py").write_text("def MyNet(levels): ...\n")
    suite = (place / "suite.toml").read_text()
    (place / "suite.toml").write_text(suite + '[[variant]]\nname = "other"\nfamily = "other/my_net.py:MyNet"\n')
    code, _, err = pixelbench("plan", "--suite", "suite.toml")
    assert code == 2
    assert "two files" in err


@pytest.mark.slow
def test_the_page_is_true(place: Path) -> None:
    """The Python of the page runs as it stands, but for fewer updates."""
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "pb.train" in block]
    (place / "page.py").write_text(code.replace("updates=350", "updates=2").replace("n=16", "n=2"))
    done = subprocess.run([sys.executable, "page.py"], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "No leak found" in done.stdout


LIKELIHOODS = """
name = "likelihoods"
default_budget = "cpu"
seeds = [0]
[budget.cpu]
updates = 3
[[task]]
name = "digits"
[[variant]]
name = "scored"
family = "modules.py:make_likelihood"
module = { head = "log_prob" }
[[variant]]
name = "drawn"
family = "modules.py:make_drawing_likelihood"
module = { head = "log_prob", sampler = "sample" }
[[variant]]
name = "no-likelihood"
family = "modules.py:make_unnormalised"
module = { head = "log_prob" }
"""


@pytest.mark.slow
def test_a_likelihood_alone_is_trained_and_certified_by_its_sum(pixelbench: Pixelbench, place: Path) -> None:
    shutil.copy(ROOT / "tests" / "own" / "modules.py", place)
    (place / "likelihoods.toml").write_text(LIKELIHOODS)
    code, out, err = pixelbench("run", "--suite", "likelihoods.toml", "--workers", "0", "--limit", "6")
    assert code == 1, out + err
    scored, drawn, wrong = (record_of(place, name) for name in ("scored", "drawn", "no-likelihood"))
    assert (scored["status"], scored["samples"], scored["causality"]["status"]) == ("done", None, "partial")
    assert scored["causality"]["probes"].startswith("sum of the probabilities of all 64 images of 1x2x3 with 2 levels: 1")
    assert scored["behaviour"] is not None
    assert (drawn["status"], drawn["samples"]["method"]) == ("done", "own")
    assert drawn["samples"]["sampler"].startswith("Drawn by the module's own sample (checked)")
    assert wrong["status"] == "failed"
    assert "not to 1: its log_prob is no log-likelihood" in wrong["error"]["message"]
    assert drawn["likelihood"]["nats_per_image"] == pytest.approx(scored["likelihood"]["nats_per_image"], rel=1e-6)  # the same network
    assert "own sample (checked)" in (place / "runs" / "report.html").read_text()
    assert pixelbench("verify", "runs", "--rescore", "4")[0] == 0
    code, out, err = pixelbench("eval", "digits/drawn", "--limit", "5", "--samples", "2", "--json")
    found = json.loads(out)
    assert (code, found["verdict"], found["sums_to_one"]["verdict"]) == (0, "undecided", "normalised"), err
    assert found["samples"]["method"] == "own"
    assert pixelbench("compress", "digits/scored")[0] == 2
