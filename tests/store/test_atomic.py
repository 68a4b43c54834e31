"""A file is whole or absent, and what was there before survives a failure."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixelbench.store.atomic import sweep_temporaries, write_bytes, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "eins")
    write_text(path, "zwei")
    assert path.read_text() == "zwei"
    assert names(path.parent) == ["a.txt"]


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_failure_keeps_the_old_file_and_no_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_new_name_reaches_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a power cut can bring the old file back: the folder is flushed, and after the renaming."""
    path = tmp_path / "a.txt"
    flushed: list[tuple[int, bool]] = []
    genuine = os.fsync
    monkeypatch.setattr(os, "fsync", lambda to: [flushed.append((os.fstat(to).st_ino, path.exists())), genuine(to)][1])
    write_text(path, "new")
    assert flushed == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A limit on the size of files makes the kernel itself refuse the write in the middle."""
    program = (
        "import resource, pathlib; from pixelbench.store.atomic import write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"try: write_bytes(pathlib.Path({str(tmp_path / 'a')!r}), b'x' * 10000)\n"
        "except OSError as error: print('refused', error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "refused 27\n"
    assert names(tmp_path) == []


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": math.nan})
    assert names(tmp_path) == []


def test_keys_are_sorted(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    assert (tmp_path / "a.json").read_text() == '{\n "a": "é",\n "b": 1\n}\n'


def test_sweep_removes_what_a_kill_left(tmp_path: Path) -> None:
    write_bytes(tmp_path / "work" / "keep", b"1")
    (tmp_path / "work" / ".checkpoint.abc.tmp").write_bytes(b"half")
    (tmp_path / ".record.json.abc.tmp").write_bytes(b"half")
    sweep_temporaries(tmp_path)
    assert names(tmp_path) == ["work"]
    assert names(tmp_path / "work") == ["keep"]
