"""One process at a time in a folder, also where its work has several steps."""

import subprocess
import sys
from pathlib import Path

import pytest

from pixelbench.data import whole
from pixelbench.data.download.progress import DownloadStep
from pixelbench.data.whole import LOCK, alone, writing
from pixelbench.errors import UserError

HOLD = """
import pathlib, sys
from pixelbench.data.whole import alone
with alone(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def heard(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_who_waits_is_told_so_and_a_kill_frees_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "LOOK", 0.05)
    folder = tmp_path / "new"
    told: list[DownloadStep] = []
    with hold(folder) as holder:
        assert heard(holder) == "held\n"

        def report(step: DownloadStep) -> None:
            told.append(step)
            holder.kill()

        with alone(folder, report):
            pass
    assert {step.what for step in told} == {"waiting for another process that is at work there"}


def test_a_nested_lock_is_freed_by_the_outer_one(tmp_path: Path) -> None:
    """Also where the folder is reached by another name."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    with alone(tmp_path / "folder"):
        with alone(tmp_path / "link"):
            pass
        holder = hold(tmp_path / "folder")
        with pytest.raises(subprocess.TimeoutExpired):
            holder.wait(timeout=1)
    with holder:
        assert heard(holder) == "held\n"
        assert holder.stdin is not None
        holder.stdin.close()
    assert holder.returncode == 0


def test_other_folders_are_not_locked(tmp_path: Path) -> None:
    with alone(tmp_path / "one"), hold(tmp_path / "two") as holder:
        assert heard(holder) == "held\n"
        holder.kill()
    assert (tmp_path / "one" / LOCK).exists()


def test_an_error_of_the_file_system_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(UserError, match=r"cannot be written \(.*\); fix its folder, or name another data folder with --data DIR\.$"),
        alone(tmp_path / "file"),
    ):
        pass
    with pytest.raises(ValueError, match="mine"), writing(tmp_path):
        raise ValueError("mine")
