"""File systems that cannot do what a store needs are said in one sentence, before anything is trained (storage.md 22 and 23)."""

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from pixelbench.cli.main import main
from pixelbench.errors import UserError
from pixelbench.files.locks import RunLock
from pixelbench.files.writable import ensure_writable

COMMAND = ["run", "--suite", "quick", "--only", "digits/uniform", "--budget", "smoke", "--workers", "0"]


def refusing(monkeypatch: pytest.MonkeyPatch, module: Any, call: str, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, call, refuse)


def ended(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and last line of the command."""
    with pytest.raises(SystemExit) as found:
        main([*COMMAND, "--results", str(folder / "runs")])
    assert isinstance(found.value.code, int)
    return found.value.code, capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EIO])
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    refusing(monkeypatch, fcntl, "flock", number)
    with RunLock(tmp_path, "ab") as lock, pytest.raises(UserError, match=r"cannot lock files \(.*\); choose another with --results DIR\.$"):
        lock.acquire()


def test_a_lock_that_somebody_holds_is_no_fault_of_the_file_system(tmp_path: Path):
    with RunLock(tmp_path, "ab") as one, RunLock(tmp_path, "ab") as other:
        assert one.acquire()
        assert not other.acquire()


@pytest.mark.parametrize("number", [errno.EEXIST, errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS])
def test_a_file_system_without_rename_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    refusing(monkeypatch, os, "replace", number)
    with pytest.raises(UserError, match=r"cannot replace a file by another \(.*\); choose another with --results DIR\.$"):
        ensure_writable(tmp_path / "runs", 0)
    assert not any((tmp_path / "runs").iterdir())


def test_a_full_disk_is_not_taken_for_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    refusing(monkeypatch, os, "replace", errno.ENOSPC)
    with pytest.raises(UserError, match="has no room for"):
        ensure_writable(tmp_path / "runs", 0)


def test_both_end_the_command_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    with monkeypatch.context() as patch:
        refusing(patch, fcntl, "flock", errno.EIO)
        code, said = ended(tmp_path, capsys)
    assert code == 2
    assert "cannot lock files" in said
    with monkeypatch.context() as patch:
        refusing(patch, os, "replace", errno.EEXIST)
        code, said = ended(tmp_path, capsys)
    assert code == 2
    assert "cannot replace a file by another" in said
    assert not list((tmp_path / "runs").rglob("record.json"))
