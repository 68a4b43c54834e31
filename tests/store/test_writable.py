"""A store that cannot take the results is found out before anything is trained."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixelbench.errors import UserError
from pixelbench.files.writable import ensure_writable


def test_creates_the_store_and_leaves_no_probe(tmp_path: Path) -> None:
    ensure_writable(tmp_path / "a" / "b", 3 << 20, [tmp_path / "a" / "b" / "digits" / "x"])
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for store in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=r"file' is a file; move it away or choose another with --results DIR\.$"):
            ensure_writable(store, 0)
    with pytest.raises(UserError, match="is a file where a folder must go"):
        ensure_writable(tmp_path, 0, [tmp_path / "file" / "variant" / "key"])


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so the refusal is the file system's: nothing can be created below /proc."""
    with pytest.raises(UserError, match=r"^Cannot write in results folder '/proc/runs' .* choose another with --results DIR\.$"):
        ensure_writable(Path("/proc/runs"), 0)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="Cannot write in"):
        ensure_writable(tmp_path, 0, [tmp_path / "digits"])


def test_no_room(tmp_path: Path) -> None:
    program = (
        "import resource, pathlib; from pixelbench.files.writable import ensure_writable; from pixelbench.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))\n"
        f"try: ensure_writable(pathlib.Path({str(tmp_path / 'a' / 'b')!r}), 5 << 20)\n"
        "except UserError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("has no room for the 5 MB needed; free some space or choose another with --results DIR.\n")
    assert list(tmp_path.iterdir()) == []
