"""What `doctor` says of a folder was tried in it, and nothing of the trial stays."""

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from pixelbench.files import examine as examined
from pixelbench.files.examine import examine, file_system


def test_a_folder_that_works_and_one_that_could_be_made(tmp_path: Path) -> None:
    here, below = examine(tmp_path), examine(tmp_path / "a" / "b")
    assert (here.problem, here.exists, below.problem, below.exists) == (None, True, None, False)
    assert below.folder == tmp_path / "a" / "b"
    assert here.free_bytes is not None
    assert here.free_bytes > 0
    assert here.file_system == below.file_system
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_and_a_closed_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is a file" in (examine(tmp_path / "file").problem or "")
    assert examine(tmp_path / "file" / "below").problem == f"cannot be made in '{tmp_path}/file', which is a file"
    assert (examine(Path("/proc/runs")).problem or "").startswith("cannot be made in '/proc'")  # where root can do nothing either


@pytest.mark.parametrize(
    ("function", "number", "said"),
    [("flock", errno.ENOLCK, "cannot lock files"), ("replace", errno.EOPNOTSUPP, "cannot replace a file by another")],
)
def test_a_file_system_without_locks_or_renames_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int, said: str
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl if function == "flock" else os, function, refuse)
    assert said in (examine(tmp_path).problem or "")
    assert list(tmp_path.iterdir()) == []


def test_locks_that_lock_nobody_out_are_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert "gives one lock to two at once" in (examine(tmp_path).problem or "")


def test_the_file_system_is_that_of_the_longest_and_latest_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "with space" / "runs").mkdir(parents=True)
    spaced = str(tmp_path / "with space").replace(" ", r"\040")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {spaced} nfs rw 0 0\nserver:/y {spaced} nfs4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n")
    monkeypatch.setattr(examined, "_MOUNTS", mounts)
    assert file_system(tmp_path / "with space" / "runs") == "nfs4"
    assert file_system(tmp_path) == "ext4"
    monkeypatch.setattr(examined, "_MOUNTS", tmp_path / "nothing")
    assert file_system(tmp_path) is None
