"""A file is whole or absent, and what was there before survives a failure."""

import math
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pixelbench.files.atomic import sweep_temporaries, write_bytes, write_json, write_text
from pixelbench.files.disk import to_disk


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
        "import resource, pathlib; from pixelbench.files.atomic import write_bytes\n"
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


def test_the_bytes_reach_the_disk_before_the_name_and_the_name_before_the_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the last step a power cut can bring the old file back; without the first an empty one."""
    path, events = tmp_path / "a.bin", []
    fsync, replace = os.fsync, os.replace

    def seen_fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        folder = stat.S_ISDIR(status.st_mode)
        events.append(("folder" if status.st_ino == tmp_path.stat().st_ino else "elsewhere") if folder else status.st_size)
        fsync(descriptor)

    def seen_replace(old: Path, new: Path) -> None:
        events.append((Path(old).parent, Path(new)))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "replace", seen_replace)
    write_bytes(path, b"123456789")
    assert events == [9, (tmp_path, path), "folder"]


@pytest.mark.parametrize("fails", [False, True])
def test_no_descriptor_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    opened, closed = [], []
    real_open, real_close = os.open, os.close

    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(real_open(*arguments)) or opened[-1])
    monkeypatch.setattr(os, "close", lambda descriptor: closed.append(descriptor) or real_close(descriptor))
    if fails:
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="Input/output"):
            to_disk(tmp_path)
    else:
        to_disk(tmp_path)
    assert opened == closed
    assert len(opened) == 1


def test_all_missing_folders_are_created(tmp_path: Path) -> None:
    write_bytes(tmp_path / "task" / "variant" / "key" / "a", b"1")
    assert (tmp_path / "task" / "variant" / "key" / "a").read_bytes() == b"1"


def test_the_sweep_finds_what_a_write_killed_before_its_rename_leaves(tmp_path: Path) -> None:
    program = (
        "import os, pathlib; from pixelbench.files.atomic import write_bytes\n"
        "os.replace = lambda *names: os._exit(9)\n"
        f"write_bytes(pathlib.Path({str(tmp_path / 'run' / 'a')!r}), b'new')\n"
    )
    write_bytes(tmp_path / "run" / "a", b"old")
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    assert len(names(tmp_path / "run")) == 2
    sweep_temporaries(tmp_path)
    assert names(tmp_path / "run") == ["a"]
    assert (tmp_path / "run" / "a").read_bytes() == b"old"


def test_two_writers_of_one_file_have_a_temporary_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporaries, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: temporaries.append(old) or replace(old, new))
    for _ in range(20):
        write_bytes(tmp_path / "a", b"1")
    assert len(set(temporaries)) == 20


def test_a_temporary_that_is_gone_already_stops_no_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own writer may have renamed it since the folder was listed."""
    left = tmp_path / ".b.1.tmp"
    left.write_bytes(b"half")
    monkeypatch.setattr(Path, "rglob", lambda folder, pattern: iter([tmp_path / ".a.1.tmp", left]))
    sweep_temporaries(tmp_path)
    assert names(tmp_path) == []
