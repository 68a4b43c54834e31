"""The mirror image of the injected faults: what changes no number leaves the fingerprint as it is, wherever and whenever it is taken."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import pixelbench
from pixelbench.experiments.code_digest import code_digest
from pixelbench.experiments.verify.fingerprint import fingerprint
from pixelbench.experiments.verify.miniature import miniature, tiny_images
from pixelbench.models import scoring
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import FAMILIES
from pixelbench.store.behaviour import differences
from pixelbench.training.ema import ExponentialMovingAverage
from tests.support.behaviour_runs import KINDS, NETWORKS, genuine, run
from tests.support.programs import ROOT

PACKAGE = Path(pixelbench.__file__).parent
#: Of every network family, and of all that is not trained.
EACH_FAMILY = ["colour", "plain", "pixelcnn", "row-lstm", "diagonal", "pp-class", "snail", "vae", "histogram", "uniform", "png", "webp"]
#: What `pixelbench.models.layers.causal` calls by names that nobody outside the package should care for, and other modules import.
HELPERS = ("colours", "may_see", "gate", "initialise", "slices_by_colour", "SlidingRows", "IncrementalConv2d", "written")


def close(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """To 1e-12, which is more than `differences` asks for."""
    pairs = [(mine, other["numbers"][name]) for name, mine in one["numbers"].items()]
    return differences(one, other) == [] and all(
        abs(a - b) <= 1e-12 * max(map(abs, mine)) for mine, theirs in pairs for a, b in zip(mine, theirs, strict=True)
    )


@pytest.mark.by_default(12)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_small_plain_and_whole(kind: str) -> None:
    found = genuine(kind)
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert len(text) < 6000
    assert "failure" not in found["exact"]
    assert found["exact"].get("status", "done") == "done"
    assert found["torch"] in torch.__version__
    assert differences(found, json.loads(text)) == []


def test_every_family_is_among_the_runs() -> None:
    assert {run(kind).family for kind in KINDS} == set(FAMILIES)


@pytest.mark.by_default(8)
@pytest.mark.parametrize("kind", NETWORKS)
def test_the_miniature_has_what_it_claims(kind: str) -> None:
    """A short last batch in every split that is scored, a clip that acts, several validations, and for a bound several draws."""
    spec = run(kind)
    small = miniature(spec)
    data, recipe = tiny_images(small), small.recipe
    assert small.updates == 12
    assert len(data.validation) % 2 == len(data.test) % 2 == 1 or spec.evaluation["validation_images"]
    assert len(data.train) % recipe["batch"]
    assert small.task["height"] != small.task["width"]
    assert bool(recipe["warmup"]) == bool(spec.recipe["warmup"])
    assert recipe["warmup"] < small.updates
    assert small.settings.get("kl_warmup", 0) < small.updates
    assert 0 < recipe["clip"] < spec.recipe["clip"] or 0 < recipe["clip_value"] < spec.recipe["clip_value"]
    assert small.evaluation["importance_samples"] == min(3, spec.evaluation["importance_samples"])
    assert len(genuine(kind)["numbers"]["nats of test images"]) == 5
    assert len(genuine(kind)["numbers"]["training curve"]) == 12 + (12 if "select" in recipe else 6)


def test_all_seeds_and_names_of_a_cell_have_one_fingerprint() -> None:
    spec = run("gated")
    other = replace(spec, seed=2, variant="mine", budget="long", expect="leaky", task={**spec.task, "preprocessing": "none"})
    assert fingerprint(other) == genuine("gated")


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"layers": 1}},
        {"settings": {"head": "logistic-mixture"}},
        {"recipe": {"schedule": "constant"}},
        {"recipe": {"learning_rate": 0.0061}},
        {"recipe": {"ema": 0.95}},
        {"recipe": {"ema": 0.0}},
        {"recipe": {"batch": 63}},
        {"recipe": {"clip": 0.0}},
        {"recipe": {"clip_value": 0.1}},
        {"recipe": {"select": "best-validation"}},
        {"updates": 351},
    ],
    ids=lambda change: json.dumps(change),
)
def test_another_cell_has_another_fingerprint(change: dict[str, Any]) -> None:
    spec = run("gated")
    values = {name: {**getattr(spec, name), **value} if isinstance(value, dict) else value for name, value in change.items()}
    assert differences(genuine("gated"), fingerprint(replace(spec, **values)))


@contextmanager
def used() -> Iterator[None]:
    """After other work, with another random state."""
    torch.manual_seed(12345)
    model = torch.nn.Conv2d(3, 8, 3)
    model(torch.randn(4, 3, 9, 9)).sum().backward()
    yield


@contextmanager
def in_double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


STATES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "again": nullcontext,
    "after other work": used,
    "float64 by default": in_double,
    "four threads": threads,
    "deterministic": deterministic,
    "without gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.by_default(6)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", ["colour", "vae", "redrawn"])
def test_nothing_around_it_matters_and_all_is_left_as_it_was(kind: str, state: str) -> None:
    genuine(kind)
    with STATES[state]():
        before = surroundings()
        found = fingerprint(run(kind))
        after = surroundings()
    assert close(found, genuine(kind))
    assert torch.equal(before.pop("random"), after.pop("random"))
    assert before == after


def surroundings() -> dict[str, Any]:
    return {
        "random": torch.get_rng_state(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "one_dnn": torch.backends.mkldnn.enabled,
        "largest_batch": scoring.largest_batch,
    }


@pytest.mark.by_default(2)
@pytest.mark.parametrize("kind", ["colour", "plain", "pixelcnn", "row-lstm", "diagonal", "class", "mixture", "pp-class", "snail", "vae"])
def test_networks_trained_in_bfloat16_have_one_too(kind: str) -> None:
    """In float64 nothing is cast, so that the one loss as the run trains differs; the nats under autocast are new."""
    spec = run(kind)
    found = fingerprint(replace(spec, recipe={**spec.recipe, "precision": "bf16"}))
    assert "failure" not in found["exact"]
    assert set(differences(genuine(kind), found)) <= {"training loss", "nats under autocast"}
    assert "nats under autocast" not in genuine(kind)["rough"]
    assert found["rough"]["training loss"] != genuine(kind)["rough"]["training loss"]


def test_a_task_that_is_not_here_changes_nothing() -> None:
    """Nor does a folder of images that was prepared on one machine and not on another."""
    spec = run("gated")
    unknown, folder = (fingerprint(replace(spec, task={**spec.task, "name": name})) for name in ("no-such-task", "imagenet32"))
    assert unknown == folder
    assert differences(genuine("gated"), unknown) == ["order of batches"]  # of a number of images that is not known


def test_sums_in_another_order_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def log_prob(self: AutoregressiveModel, images: Tensor, condition: Tensor | None = None) -> Tensor:
        nats = self.output.nats(self._raw(images, condition), images)
        return nats.flatten(1).flip(1).double().cumsum(1)[:, -1].neg()

    monkeypatch.setattr(AutoregressiveModel, "log_prob", log_prob)
    for kind in ("gated", "colour", "class", "snail", "histogram"):
        assert differences(genuine(kind), fingerprint(run(kind))) == [], kind


def test_an_average_by_another_formula_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    @torch.no_grad()
    def update(self: ExponentialMovingAverage[Any], model: torch.nn.Module, number: int) -> None:
        keep = min(self.decay, (1 + number) / (10 + number))
        for mine, its in zip(self.average.parameters(), model.parameters(), strict=True):
            mine.copy_(keep * mine + (1 - keep) * its)

    monkeypatch.setattr(ExponentialMovingAverage, "update", update)
    for kind in ("gated", "vae"):
        assert differences(genuine(kind), fingerprint(run(kind))) == [], kind


def test_another_batch_of_exact_scoring_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a bound it is not, since it decides which image gets which draws."""
    before = {kind: genuine(kind) for kind in ("gated", "vae")}
    monkeypatch.setattr(scoring, "_OUTPUTS", 1 << 12)
    named = {kind: differences(before[kind], fingerprint(run(kind))) for kind in before}
    assert named == {"gated": [], "vae": ["images scored at once"]}


@pytest.mark.slow
def test_renamed_helpers_and_removed_docstrings_are_the_same_in_another_process(tmp_path: Path) -> None:
    """The package as somebody tidied it up: its code digest is another one, its numbers are not."""
    folder = tmp_path / "pixelbench"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    renamed = re.compile(rf"(?<![\w\"'-])({'|'.join(HELPERS)})(?![\w\"'])")
    for path in folder.rglob("*.py"):
        text = renamed.sub(lambda match: f"_renamed_{match[0].lower()}", path.read_text())
        path.write_text(re.sub(r'"""(?:[^"]|"(?!""))*"""', '"""."""', text) + "# tidied up\n")
    assert "_renamed_initialise(self.weight" in (folder / "models" / "layers" / "causal.py").read_text()
    changed = {family for family in FAMILIES if code_digest(family, folder) != code_digest(family)}
    assert {"gated-pixelcnn", "pixelvae", "row-lstm"} <= changed
    program = (
        "import json, sys, pixelbench; from tests.support.behaviour_runs import genuine;"
        "print(pixelbench.__file__); print(json.dumps([genuine(kind) for kind in sys.argv[1:]]))"
    )
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", program, *EACH_FAMILY], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    place, found = done.stdout.splitlines()
    assert Path(place).parent == folder
    for kind, mine in zip(EACH_FAMILY, json.loads(found), strict=True):
        assert close(mine, genuine(kind)), (kind, differences(mine, genuine(kind)))
