"""One fault at a time in a copy of the package: `verify --behaviour` must name every stored run that it concerns, and no other.

On the committed results, so it takes minutes: `pytest -n 0 -m stale`.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.stale

#: Which runs a fault concerns, by their record.
Concerns = Callable[[dict[str, Any]], bool]


def trained(record: dict[str, Any]) -> bool:
    return record["recipe"] is not None


def scored(record: dict[str, Any]) -> bool:
    return record["likelihood"]["estimator"] != "code-length"


def exact(record: dict[str, Any]) -> bool:
    return record["likelihood"]["estimator"] == "exact"


def latent(record: dict[str, Any]) -> bool:
    return record["variant"]["family"] == "pixelvae"


FAULTS: dict[str, tuple[str, str, str, Concerns]] = {
    "optimiser.step() twice": (
        "training/loop.py",
        "        self.optimiser.step()\n",
        "        self.optimiser.step()\n        self.optimiser.step()\n",
        trained,
    ),
    "another EMA late in training": (
        "training/ema.py",
        "min(self.decay, ",
        "min(self.decay * (0.999 if update > 1000 else 1.0), ",
        lambda record: trained(record) and record["budget"]["updates"] > 1000,
    ),
    "another KL weight late in training": (
        "models/latent_variable.py",
        "return min(1.0, self.update / self.settings.kl_warmup)",
        "return min(1.0 if self.update < 1000 else 0.99, self.update / self.settings.kl_warmup)",
        latent,
    ),
    "the order of batches": ("training/seeding.py", 'f"epoch {epoch}"', 'f"epoch {epoch + 1}"', trained),
    "clipping left out": ("training/loop.py", "if self.recipe.clip:", "if self.recipe.clip and not self.recipe.clip:", trained),
    "the last short batch dropped": (
        "models/scoring.py",
        "range(0, len(images), size)",
        "range(0, max(size, len(images) // size * size), size)",
        scored,
    ),
    "importance weights averaged wrongly": (
        "models/latent_variable.py",
        "return total - math.log(importance_samples)",
        "return total / importance_samples",
        latent,
    ),
    "the likelihood scaled": ("models/base.py", "return -self._nats(", "return -0.99 * self._nats(", exact),
    "a mask changed": (
        "models/causal.py",
        "mask[:, :, -1, self.reach + 1 :] = 0",
        "mask[:, :, -1, self.reach + 1 :] = 0\n        mask[:, :, 0, 0] = 0",
        trained,
    ),
    "another order of random draws": (
        "models/sampling.py",
        "torch.rand(n, *model.shape, dtype=torch.float64, device=device, generator=generator)",
        "torch.rand(*model.shape, n, dtype=torch.float64, device=device, generator=generator).movedim(-1, 0)",
        scored,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_run_that_a_fault_concerns_is_named_and_no_other(name: str, tmp_path: Path) -> None:
    path, before, after, concerns = FAULTS[name]
    package = copied(tmp_path)
    source = (package / path).read_text()
    assert source.count(before) == 1
    (package / path).write_text(source.replace(before, after))
    code, found = verified(tmp_path)
    expected = {record["run_key"] for record in records() if concerns(record)}
    assert expected
    assert stale(found) == expected
    assert code == 1


def test_renamed_private_functions_and_edited_comments_make_nothing_stale(tmp_path: Path) -> None:
    package = copied(tmp_path)
    models = [path.read_text() for path in (package / "models").rglob("*.py")]
    private = {name for source in models for name in re.findall(r"\bdef (_[a-z]\w*)", source)}
    assert len(private) > 30
    for path in package.rglob("*.py"):
        path.write_text(re.sub(rf"\b({'|'.join(private)})\b", r"\1_renamed", path.read_text()))
    causal = package / "models" / "causal.py"
    causal.write_text(re.sub(r"#.*", "# another comment", causal.read_text()))
    code, found = verified(tmp_path)
    assert (code, stale(found)) == (0, set())
    assert sum(len(one["keys"]) for one in found["behaviour"]) == len(records())


def copied(to: Path) -> Path:
    shutil.copytree(ROOT / "pixelbench", to / "pixelbench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "reference", to / "reference")
    shutil.copytree(ROOT / "results", to / "results", ignore=shutil.ignore_patterns("work", "report*"))
    return to / "pixelbench"


def verified(folder: Path) -> tuple[int, dict[str, Any]]:
    """What the copied package says of the copied results."""
    command = [sys.executable, "-c", "from pixelbench.cli.main import main; main(['verify', 'results', '--behaviour', '--json'])"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def stale(found: dict[str, Any]) -> set[str]:
    return {key for one in found["behaviour"] if one["verdict"] == "stale" for key in one["keys"]}


def records() -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted((ROOT / "results").glob("*/*/*/record.json"))]
