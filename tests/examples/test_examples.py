"""The examples of docs/extending.md, each as a package of somebody else's beside ours."""

import json
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.examples.installed import EXAMPLES, Site
from tests.support.warm import Warm

FAMILY = """
name = "mine"
extends = "quick"
tasks = ["digits"]
variants = ["uniform"]
[[variant]]
name = "masked-mlp"
family = "masked-mlp"
"""
UNIFORM = """
name = "mine"
extends = "quick"
tasks = ["digits"]
variants = ["uniform"]
"""


def lines_of(example: str) -> dict[str, int]:
    """Lines of each file of an example."""
    return {path.name: len(path.read_text().splitlines()) for path in sorted((EXAMPLES / example).iterdir()) if path.is_file()}


@pytest.mark.parametrize("example", [folder.name for folder in sorted(EXAMPLES.iterdir()) if folder.is_dir()])
def test_an_example_is_short(example: str) -> None:
    """At most two files beside a test, and 100 lines."""
    files = {name: lines for name, lines in lines_of(example).items() if not name.startswith("test_")}
    assert 1 <= len(files) <= 2
    assert sum(files.values()) <= 100


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, interpreter: Warm) -> Site:
    """The family beside a baseline on digits, a few updates; not to be changed."""
    site = Site.empty(tmp_path_factory.mktemp("trained"), interpreter)
    site.install("masked-mlp")
    code, out, err = site.pixelbench("run", "--suite", site.suite(FAMILY), "--budget", "smoke", "--workers", "0")
    assert code == 0, out + err
    return site


@pytest.mark.slow
def test_a_family_is_trained_certified_and_reported(trained: Site) -> None:
    record = trained.record("digits", "masked-mlp")
    assert (record["status"], record["causality"]["status"], record["samples"]["method"]) == ("done", "complete", "naive")
    assert record["provenance"]["versions"]["masked-mlp"] == "0.1"
    assert record["behaviour"] is not None
    assert record["likelihood"]["bits_per_dim"] < 1.2 * math.log2(17)
    assert "masked-mlp" in (trained.work / "runs" / "report.md").read_text()


@pytest.mark.slow
def test_a_family_without_the_incremental_mode_is_sampled_naively(trained: Site) -> None:
    code, out, err = trained.pixelbench("sample", "digits/masked-mlp", "--n", "2", "--method", "cached")
    assert (code, out) == (2, "")
    assert "has no incremental mode" in err
    assert trained.pixelbench("sample", "digits/masked-mlp", "--n", "2", "--out", "two.png")[0] == 0


@pytest.mark.slow
def test_a_family_is_listed(trained: Site) -> None:
    (entry,) = [one for one in json.loads(trained.pixelbench("list", "models", "--json")[1]) if one["name"] == "masked-mlp"]
    assert entry["settings"] == {"layers": 2, "units": 4}


@pytest.mark.slow
def test_a_change_of_a_familys_source_is_noticed(trained: Site, tmp_path: Path) -> None:
    """A comment is not; what computes something else is stale."""
    site = trained.copy(tmp_path)
    module = site.packages / "masked_mlp.py"
    source = module.read_text()

    def state() -> str:
        planned = site.pixelbench("plan", "--suite", "mine.toml", "--budget", "smoke", "--only", "*/masked-mlp", "--json")[1]
        (run,) = json.loads(planned)["runs"]
        return run["state"]

    module.write_text(source + "# a comment\n")
    assert state() == "stored"
    module.write_text(source.replace("* 2 - 1)", "* 2 - 1.5)"))
    assert state() != "stored"
    code, _, err = site.pixelbench("verify", "runs", "--behaviour")
    assert code == 1, err


@pytest.mark.slow
def test_a_store_with_runs_of_a_package_that_is_broken_is_still_read(trained: Site, tmp_path: Path) -> None:
    site = trained.copy(tmp_path)
    (site.packages / "masked_mlp.py").write_text("import a_module_that_is_not_there\n")
    for command in (("report",), ("status",)):
        code, _, err = site.pixelbench(*command)
        assert code == 0, err
    code, _, err = site.pixelbench("plan", "--suite", "mine.toml")
    assert code == 2
    assert err == (
        "The model 'masked-mlp' of the package masked-mlp 0.1 cannot be loaded (ModuleNotFoundError: No module named "
        "'a_module_that_is_not_there'); fix that package or uninstall it.\n"
    )
    code, out, err = site.pixelbench("list", "models", "--json")
    assert code == 0
    assert "gated-pixelcnn" in out
    assert err.startswith("The model 'masked-mlp' of the package masked-mlp 0.1 cannot be loaded")


@pytest.mark.slow
def test_a_family_is_checked_like_any_module_of_others(site: Site) -> None:
    """Also where it leaks: its own mask is the negative control."""
    site.install("masked-mlp")
    assert site.pixelbench("check", "masked-mlp", "--shape", "1,4,3", "--levels", "4")[0] == 0
    module = site.packages / "masked_mlp.py"
    module.write_text(module.read_text().replace("units[:, None] > places", "units[:, None] >= places"))
    code, out, err = site.pixelbench("check", "masked-mlp", "--shape", "1,4,3", "--levels", "4")
    assert code == 1, err
    assert "LEAK" in out.upper()


@pytest.mark.slow
def test_what_a_family_cannot_do_is_found_before_it_is_trained(site: Site) -> None:
    """It is causal and could be trained; its likelihood fails."""
    site.install("masked-mlp")
    module = site.packages / "masked_mlp.py"
    broken = (
        "\n    def log_prob(self, images, condition=None):\n        raise NotImplementedError('not written yet')\n\n\nclass MaskedLinear"
    )
    module.write_text(module.read_text().replace("\n\nclass MaskedLinear", broken, 1))
    code, _, err = site.pixelbench("run", "--suite", site.suite(FAMILY), "--budget", "smoke", "--only", "*/masked-mlp", "--workers", "0")
    record = site.record("digits", "masked-mlp")
    assert (code, record["status"], record["cost"]["updates"]) == (1, "failed", 0), err
    assert record["error"]["message"] == (
        "masked-mlp cannot do what a run asks, tried before training on images of 1x5x4: NotImplementedError: not written yet. "
        "Where those are too small for it, register it with a larger `small`."
    )


@pytest.mark.slow
def test_a_task_is_loaded_and_learned(site: Site) -> None:
    site.install("stripes-task")
    code, out, err = site.pixelbench("list", "tasks", "--json")
    (entry,) = [one for one in json.loads(out) if one["name"] == "stripes"]
    assert (entry["images"], entry["missing"]) == ({"train": 2000, "validation": 300, "test": 500}, None)
    suite = site.suite(
        'name = "mine"\ndefault_budget = "short"\nbudget.short.updates = 60\n[recipe]\nlearning_rate = 6e-3\nbatch = 32\n'
        '[[task]]\nname = "stripes"\n[[variant]]\nname = "uniform"\nfamily = "uniform"\n'
        '[[variant]]\nname = "fvsbn"\nfamily = "fvsbn"\n'
    )
    code, out, err = site.pixelbench("run", "--suite", suite, "--workers", "0")
    assert code == 0, out + err
    bits = {name: site.record("stripes", name)["likelihood"]["bits_per_dim"] for name in ("uniform", "fvsbn")}
    assert bits["uniform"] == pytest.approx(1)
    assert bits["fvsbn"] < 0.95
    module = site.packages / "stripes.py"
    module.write_text(module.read_text().replace("RandomState(0)", "RandomState(1)"))
    code, _, err = site.pixelbench("fetch", "stripes")
    assert code == 2
    assert "are not the pinned ones" in err
    assert "pin the digest of what is meant" in err


@pytest.mark.slow
def test_a_statistic_is_measured_and_shown(site: Site) -> None:
    site.install("roughness-statistic")
    suite = site.suite(UNIFORM)
    code, out, err = site.pixelbench("run", "--suite", suite, "--budget", "smoke", "--workers", "0")
    assert code == 0, out + err
    samples = site.record("digits", "uniform")["samples"]
    images = np.random.default_rng(0).integers(0, 17, (200, 1, 8, 8))
    expected = np.abs(np.diff(images, axis=3)).mean() / 16
    assert samples["statistics"]["roughness"] == pytest.approx(expected, abs=0.05)
    assert samples["real"]["roughness"] is not None
    report = (site.work / "runs" / "report.md").read_text()
    assert "| roughness |" in report
    assert "the mean difference between neighbours, of the highest level" in report.replace("\n  ", " ")
    frame = "import pixelbench as pb; frame = pb.load_results('runs'); print(frame.roughness.notna().tolist())"
    assert site.python("-c", frame).stdout == "[True]\n"
    (site.packages / "roughness.py").unlink()
    code, out, err = site.pixelbench("report")
    assert code == 0, err
    assert "| roughness |" not in (site.work / "runs" / "report.md").read_text()


@pytest.mark.slow
def test_a_statistic_that_fails_is_found_before_training(site: Site) -> None:
    site.install("roughness-statistic")
    module = site.packages / "roughness.py"
    source = module.read_text()
    suite = site.suite(UNIFORM)
    module.write_text(source.replace("values = images", "values = images.mean(9)"))
    assert site.pixelbench("run", "--suite", suite, "--budget", "smoke", "--workers", "0")[0] == 1
    error = site.record("digits", "uniform")["error"]
    assert error["message"].startswith("The statistic 'roughness' raised AxisError")
    assert site.record("digits", "uniform")["likelihood"] is None


@pytest.mark.slow
def test_a_claim_gets_a_verdict(site: Site) -> None:
    suite = EXAMPLES / "claimed-figure" / "suite.toml"
    code, out, err = site.pixelbench("run", "--suite", str(suite), "--only", "*/histogram", "--workers", "0")
    assert code == 0, out + err
    (found,) = json.loads(site.pixelbench("report", "--suite", str(suite), "--json")[1])["published"]
    assert (found["published"], found["printed"], found["verdict"]) == (2.43, "2.43", "reproduced")


@pytest.mark.slow
def test_the_causality_test_passes_and_fails_where_it_must(tmp_path: Path, site: Site) -> None:
    folder = EXAMPLES / "causality-test"
    for path in folder.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())

    def tested() -> subprocess.CompletedProcess[str]:
        return site.python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path), PYTEST_ADDOPTS="")

    passed = tested()
    assert passed.returncode == 0, passed.stdout
    net = tmp_path / "rows_net.py"
    net.write_text(net.read_text().replace("F.pad(images, (3, 0))[..., :-1]", "F.pad(images, (2, 0))"))
    failed = tested()
    assert failed.returncode == 1
    assert "2 failed" in failed.stdout


@pytest.mark.slow
def test_what_is_named_in_the_environment_is_found_in_workers_too(site: Site) -> None:
    """Code that is not installed lies in the current folder."""
    (site.work / "masked_mlp.py").write_text((EXAMPLES / "masked-mlp" / "masked_mlp.py").read_text())
    suite = site.suite(FAMILY)
    command = ("run", "--suite", suite, "--budget", "smoke", "--only", "*/masked-mlp", "--workers", "2")
    code, _, err = site.pixelbench(*command)
    assert code == 2
    assert "Unknown model 'masked-mlp'" in err
    code, out, err = site.pixelbench(*command, PIXELBENCH_PLUGINS="masked_mlp")
    assert code == 0, out + err
    assert site.record("digits", "masked-mlp")["status"] == "done"


@pytest.mark.slow
def test_no_example_needs_torch_before_it_trains(site: Site) -> None:
    """Tasks and statistics are read by reports and plans."""
    for example in ("stripes-task", "roughness-statistic"):
        site.install(example)
    code = "import sys; from pixelbench.data import task_names; from pixelbench.evaluation.quality import STATISTICS; "
    code += "assert 'stripes' in task_names() and 'roughness' in STATISTICS.usable()[0]; print('torch' in sys.modules)"
    assert site.cold("-c", code).stdout == "False\n"
