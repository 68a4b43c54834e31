"""`assert_causal`, as a test of somebody else's uses it: in this process, and in a foreign project with its own pytest."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.errors import UserError
from pixelbench.testing import assert_causal

FOREIGN = Path(__file__).parent / "foreign"
SHAPE = (1, 3, 4)


class Sums(nn.Module):
    """Every output sees all that is earlier, and only that; `far` alone is left out, `own` is also seen."""

    def __init__(self, *, own: bool = False, far: tuple[int, int] | None = None, train: bool = False) -> None:
        super().__init__()
        self.own, self.far, self.train_only = own, far, train
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, images: Tensor) -> Tensor:
        batch, channels, height, width = images.shape
        x = images.float().permute(0, 2, 3, 1).flatten(1)
        places = torch.arange(height * width * channels)
        seen = places[:, None] > places[None, :]
        if self.own or (self.train_only and self.training):
            seen = seen | torch.eye(len(places), dtype=torch.bool)
        if self.far is not None:
            row, column = places // channels // width, places // channels % width
            at = (row[None] - row[:, None] == self.far[0]) & (column[None] - column[:, None] == self.far[1])
            seen = seen & ~at
        summed = F.linear(x, seen.to(x.dtype)).view(batch, height, width, channels)
        return summed.permute(0, 3, 1, 2)[:, None] * self.weight.view(-1, 1, 1, 1)


def failure(module: nn.Module, shape: tuple[int, int, int] = SHAPE, **options) -> str:
    with pytest.raises(AssertionError) as raised:
        assert_causal(module, shape, levels=4, **options)
    return str(raised.value)


@pytest.mark.parametrize("context", [None, "box", "full"])
@pytest.mark.parametrize("shape", [SHAPE, (3, 2, 3)])
def test_a_causal_module_that_sees_everything_passes(shape: tuple[int, int, int], context) -> None:
    (report,) = assert_causal(Sums(), shape, levels=4, context=context)
    assert (report.verdict, report.target, report.missing) == ("causal", "Sums", ())


def test_a_leak_fails_with_the_report_and_the_fault() -> None:
    said = failure(Sums(own=True))
    assert re.match(r"Not causal: input \((\d), (\d)\) changes output \(\1, \2\) by ", said)
    assert "Sums (1x3x4, eval mode): Not causal" in said
    assert "Diagnosis:\n- sees-itself: " in said
    assert "[X]" in said


def test_missing_context_fails_where_it_is_asked_for() -> None:
    blind = Sums(far=(-1, 0))
    assert_causal(blind, SHAPE, levels=4)
    where = "(-1, +0) (row and column of the input minus the output's).\n\nSums (1x3x4"
    said = f"Blind spots, 1 earlier position never seen although farther ones are: {where}"
    assert failure(blind, context="box").startswith(said)
    assert failure(blind, context="full").startswith(f"Missing context, 1 earlier position never seen: {where}")


def test_full_also_fails_on_what_lies_beyond_the_context() -> None:
    beyond = Sums(far=(0, -3))
    assert_causal(beyond, (1, 1, 4), levels=4, context="box")
    assert failure(beyond, (1, 1, 4), context="full").startswith("Missing context, 1 earlier position never seen: (+0, -3)")


def test_missing_colours_fail_and_are_named() -> None:
    said = failure(Sums(far=(0, 0)), (3, 2, 3), context="box")
    assert "1 earlier position never seen although farther ones are: same pixel, R by G and R by B and G by B (row" in said
    assert failure(Sums(far=(-1, 0)), (3, 2, 3), context="box").startswith("Blind spots, 1 earlier position never seen")


def test_modes() -> None:
    module = Sums(train=True)
    assert_causal(module, SHAPE, levels=4)
    assert "train mode): Not causal" in failure(module, mode="train")
    assert "train mode): Not causal" in failure(module, mode="both")
    assert module.training
    reports = assert_causal(Sums(), SHAPE, levels=4, mode="both")
    assert [report.mode for report in reports] == ["eval", "train"]


class StepLeak(Sums):
    """A path to itself that opens with the first step of training, when its gate leaves zero."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + self.gate * images[:, None].float()


def test_after_a_step() -> None:
    assert failure(StepLeak()).startswith("Undecided. A leak is hidden: the parameter gate is exactly zero")
    assert "eval mode, after a training step): Not causal" in failure(StepLeak(), after_step=True)
    reports = assert_causal(Sums(), SHAPE, levels=4, after_step=True)
    assert [report.after_step for report in reports] == [False, True]


def test_too_little_time_holds_and_does_not_say_causal() -> None:
    (report,) = assert_causal(Sums(), SHAPE, levels=4, seconds=1e-6)
    assert report.verdict == "partial"


def test_adapters_are_passed_on() -> None:
    class Wrapped(Sums):
        def forward(self, images: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
            return {"logits": super().forward(images).permute(0, 3, 4, 2, 1)}

    (report,) = assert_causal(Wrapped(), SHAPE, levels=4, input="symmetric", output="b h w c k", select="logits")
    assert (report.method.input, report.method.output) == ("symmetric", "b h w c k")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"context": "ful"}, "Unknown context 'ful'. Did you mean 'full'"),
        ({"mode": "evil"}, "Unknown mode 'evil'. Did you mean 'eval'"),
        ({"output": "b k h"}, "it has no 'w'"),
        ({"select": 0}, "Nothing can be selected with '0'"),
        ({"seconds": 0.0}, "seconds must be more than 0"),
        ({"input": "units"}, "Did you mean 'unit'"),
    ],
)
def test_what_cannot_be_checked_is_an_error_not_a_failure(options: dict, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        assert_causal(Sums(), SHAPE, **options)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A copy of the foreign project, where nothing of ours configures it."""
    return Path(shutil.copytree(FOREIGN, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.slow
def test_a_foreign_suite_in_its_own_process(foreign: Path) -> None:
    command = [sys.executable, "-m", "pytest", "my_suite.py", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=foreign)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 3 passed" in done.stdout
    failed = re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    assert failed == ["my_suite.py::test_broken", "my_suite.py::test_blind_spot"]
    assert "- sees-itself: Outputs see their own sub-pixel" in done.stdout
    assert "Missing context, 74 earlier positions never seen: " in done.stdout
    assert "def assert_causal" not in done.stdout


@pytest.mark.slow
def test_a_foreign_file_on_the_command_line(foreign: Path) -> None:
    program = "from pixelbench.cli.main import main; main()"
    command = [sys.executable, "-c", program, "check", "my_model.py:make_broken", "--shape", "1,8,7", "--levels", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=foreign)
    assert (done.returncode, done.stderr) == (1, "Checking my_model.py:make_broken on 1x8x7 images …\n")
    assert "- sees-itself: Outputs see their own sub-pixel" in done.stdout


def test_the_foreign_suite_is_not_collected_with_ours() -> None:
    names = [path.name for path in FOREIGN.glob("*.py")]
    assert sorted(names) == ["my_model.py", "my_suite.py"]
    assert not any(name.startswith("test_") or name.endswith("_test.py") for name in names)
