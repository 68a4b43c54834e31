"""The code digest: every statement that a run goes through counts, nothing that people alone read, and no other module."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pixelbench
from pixelbench.errors import UserError
from pixelbench.experiments.code_digest import closure, code_digest
from pixelbench.models.families import FAMILIES

PACKAGE = Path(pixelbench.__file__).parent
GATED, CODEC = "gated-pixelcnn", "png"
Edit = Callable[[str], str]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The package, to be edited."""
    folder = tmp_path / "pixelbench"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.toml"))
    return folder


def edit(package: Path, module: str, change: Edit) -> None:
    path = package / module
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before


def without_docstrings(text: str) -> str:
    return re.sub(r'"""(?:[^"]|"(?!""))*"""', '"""Another text."""', text)


def reformatted(text: str) -> str:
    """Longer lines are put together, and blank lines and spaces in brackets added."""
    return re.sub(r",\n *", ", ", text).replace("\n\n", "\n\n\n\n").replace("(self", "( self").replace("self)", "self )")


def replaced(before: str, after: str) -> Edit:
    return lambda text: text.replace(before, after, 1)


@pytest.mark.parametrize(
    ("module", "change"),
    [
        ("models/layers/causal.py", lambda text: text.replace("\n", "  # a comment\n", 3).replace("import math", "# another\nimport math")),
        ("training/loop.py", without_docstrings),
        ("models/sampling.py", without_docstrings),
        ("models/families/__init__.py", without_docstrings),
        ("models/families/gated_pixelcnn.py", reformatted),
        ("training/recipe.py", lambda text: text.replace('"adamw"', "'adamw'")),
        ("units.py", lambda text: text + '\n"""A text below."""\n'),
    ],
    ids=["comments", "docstrings", "docstrings-2", "docstrings-3", "layout", "quotes", "text"],
)
def test_what_people_alone_read_does_not_count(copied: Path, module: str, change: Edit) -> None:
    edit(copied, module, change)
    assert code_digest(GATED, copied) == code_digest(GATED)


@pytest.mark.by_default(4)
@pytest.mark.parametrize(
    ("module", "change"),
    [
        ("training/loop.py", replaced("VALIDATION_POINTS = 50, 5", "VALIDATION_POINTS = 50, 4")),
        ("training/optimisers.py", replaced("0.5 * (1 +", "0.5 * (1.0 +")),
        ("training/ema.py", replaced("(10 + update)", "(11 + update)")),
        ("models/layers/causal.py", replaced("inp == out", "inp >= out")),
        ("models/families/gated_pixelcnn.py", replaced("self.residual = s.residual and not image", "self.residual = s.residual")),
        ("models/scoring.py", replaced("1 << 24", "1 << 23")),
        ("models/sampling.py", replaced("right=True", "right=False")),
        ("models/settings/gated.py", replaced("gates: bool = True", "gates: bool = False")),
        ("evaluation/likelihood.py", replaced("nats.mean()", "nats.sum()")),
        ("experiments/stages.py", replaced("SHOWN = 16", "SHOWN = 17")),
        ("statistics.py", replaced("len(names) - 1", "len(names)")),
        ("units.py", replaced("math.log(2.0)", "math.log(2)")),
        ("models/__init__.py", lambda text: text + "\nimport math\n"),
        ("data/sources/mnist.py", lambda text: text.replace("redrawn=True", "redrawn=False")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_statement_that_a_run_goes_through_counts(copied: Path, module: str, change: Edit) -> None:
    edit(copied, module, change)
    assert code_digest(GATED, copied) != code_digest(GATED)


@pytest.mark.parametrize(
    "module",
    [
        "published/verdicts.py",
        "cli/main.py",
        "models/families/pixelsnail.py",
        "causality/check.py",
        "store/record.py",
        "experiments/plan.py",
    ],
)
def test_what_a_run_does_not_go_through_does_not_count(copied: Path, module: str) -> None:
    edit(copied, module, lambda text: text + "\nNUMBER = 1\n")
    assert code_digest(GATED, copied) == code_digest(GATED)


def test_a_familys_own_module_is_its_own(copied: Path) -> None:
    edit(copied, "models/families/pixelsnail.py", lambda text: text + "\nNUMBER = 1\n")
    changed = {family for family in FAMILIES if code_digest(family, copied) != code_digest(family)}
    assert changed == {"pixelsnail"}


def test_imports_are_followed_wherever_they_stand(copied: Path) -> None:
    """Also in functions, of modules from packages, and relative ones; not those for type checkers, nor of what is no module."""
    lines = (
        "def later():\n    from pixelbench.reports import escape\n    import pixelbench.cli.output as out\n    return escape, out",
        "from .layers import idx_of_nothing, latent",
        "from .settings import pixelsnail",
        "from typing import TYPE_CHECKING",
        "if TYPE_CHECKING:\n    from pixelbench.models.families.pixelvae import PixelVAE",
        "else:\n    from pixelbench.models.families import pixel_rnn",
    )
    edit(copied, "models/scoring.py", lambda text: text + "\n" + "\n".join(lines) + "\n")
    added = closure(GATED, copied) - closure(GATED)
    wanted = {"pixelbench.reports", "pixelbench.reports.escape", "pixelbench.cli.output", "pixelbench.cli"}
    assert wanted | {"pixelbench.models.layers.latent", "pixelbench.models.families.pixel_rnn"} <= added
    assert "pixelbench.models.families.pixelvae" not in added
    assert not [name for name in added if "idx_of_nothing" in name]


def test_the_closure_is_what_is_really_imported() -> None:
    """Nothing of the package that is loaded with model, training and evaluation is missing."""
    module, modules = FAMILIES[GATED].module, closure(GATED)
    code = f"import sys, {module}, pixelbench.training.loop, pixelbench.experiments.stages; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.split(".")[0] == "pixelbench" and name.split(".")[1:2] not in (["causality"], ["store"])}
    ours -= {"pixelbench.evaluation.protocol", "pixelbench.key_fields"}  # what only the store imports: of what was asked, not done
    assert len(ours) > 40
    assert ours <= modules
    assert not [name for name in modules if name.startswith(("pixelbench.reports", "pixelbench.cli"))]


def test_a_codec_has_its_own_module() -> None:
    assert "pixelbench.evaluation.codecs" in closure(CODEC)
    assert "pixelbench.evaluation.codecs" not in closure(GATED)


def test_it_needs_neither_torch_nor_the_modules_it_reads() -> None:
    code = (
        "import sys; from pixelbench.experiments.code_digest import code_digest; code_digest('pixelvae');"
        "print('torch' in sys.modules, 'pixelbench.training.loop' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Did you mean"):
        code_digest("gated-pixelcn")
    with pytest.raises(ModuleNotFoundError, match="no source of"):
        code_digest(GATED, tmp_path / "pixelbench")
