"""Unpacking: a file is at its place whole and verified or not there, whatever the archive holds."""

import gzip
import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelbench.data.download.unpack import extract, gunzip
from pixelbench.data.whole import LOCK
from pixelbench.errors import UserError

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(1000)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(CONTENT))
    return path


def tar_of(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def refusal(act: Callable[[], None]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != LOCK)


def test_a_gz_file_is_unpacked_and_replaces_what_was_there(zipped: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "images"
    gunzip(zipped, target, md5=md5(CONTENT))
    assert target.read_bytes() == CONTENT
    target.write_bytes(OTHER)
    gunzip(zipped, target)
    assert target.read_bytes() == CONTENT
    assert files_in(target.parent) == ["images"]


@pytest.mark.parametrize("cut", [0, 5, 1000, 200_000])
def test_a_truncated_gz_file_changes_nothing(zipped: Path, tmp_path: Path, cut: int) -> None:
    zipped.write_bytes(zipped.read_bytes()[:cut] or b"none")
    target = tmp_path / "new" / "images"
    target.parent.mkdir()
    target.write_bytes(OTHER)
    said = refusal(lambda: gunzip(zipped, target))
    assert said.startswith(f"'{zipped}' cannot be unpacked (")
    assert said.endswith("; delete it, and `pixelbench fetch TASK` gets it again.")
    assert target.read_bytes() == OTHER
    assert files_in(target.parent) == ["images"]


def test_every_flipped_bit_of_a_gz_file_is_noticed(zipped: Path, tmp_path: Path) -> None:
    whole = zipped.read_bytes()
    target = tmp_path / "new" / "images"
    for place in random.Random(2).sample(range(10, len(whole)), 20):
        zipped.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert f"'{zipped}'" in refusal(lambda: gunzip(zipped, target))
        assert not target.exists()


def test_other_contents_than_the_published_ones_are_told_with_both_sums(zipped: Path, tmp_path: Path) -> None:
    said = refusal(lambda: gunzip(zipped, tmp_path / "images", md5=md5(OTHER)))
    assert said.startswith(f"'images' in '{zipped}' is damaged: its MD5 is {md5(CONTENT)}, not {md5(OTHER)}; delete it")
    assert files_in(tmp_path) == ["images.gz"]


def test_an_archive_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    for act in (lambda: gunzip(tmp_path / "none", tmp_path / "images"), lambda: extract(tmp_path / "none", {"a": md5(OTHER)}, tmp_path)):
        assert refusal(act).startswith(f"'{tmp_path / 'none'}' cannot be unpacked (No such file or directory)")


def test_only_the_wanted_files_are_taken(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    archive = tar_of(tmp_path / "a.tar.gz", ("./set/one", CONTENT), ("set/other", OTHER), ("set/two", OTHER))
    extract(archive, {"set/one": md5(CONTENT), "set/two": md5(OTHER)}, folder)
    assert files_in(folder) == ["set/one", "set/two"]
    assert (folder / "set" / "one").read_bytes() == CONTENT
    assert (folder / "set" / "two").read_bytes() == OTHER


def test_no_path_of_the_archive_is_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, kind in (
            ("../outside", tarfile.REGTYPE),
            ("/outside", tarfile.REGTYPE),
            ("one", tarfile.SYMTYPE),
            ("set", tarfile.SYMTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = str(tmp_path)
            tar.addfile(info)
        info = tarfile.TarInfo("set/two")
        info.size = len(OTHER)
        tar.addfile(info, io.BytesIO(OTHER))
    said = refusal(lambda: extract(path, {"one": md5(b""), "set/two": md5(OTHER)}, folder))
    assert said == f"'{path}' does not hold 'one'; delete it, and `pixelbench fetch TASK` gets it again."
    assert files_in(tmp_path) == ["a.tar.gz", "deep/data/set/two"]
    assert not (folder / "set").is_symlink()


def test_a_changed_member_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "two").write_bytes(b"before")
    archive = tar_of(tmp_path / "a.tar.gz", ("set/one", CONTENT), ("set/two", OTHER))
    said = refusal(lambda: extract(archive, {"set/one": md5(CONTENT), "set/two": md5(b"")}, tmp_path))
    assert said.startswith(f"'two' in '{archive}' is damaged: its MD5 is {md5(OTHER)}, not {md5(b'')}")
    assert (tmp_path / "set" / "two").read_bytes() == b"before"
    assert files_in(tmp_path) == ["a.tar.gz", "set/one", "set/two"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_a_truncated_archive_gives_no_half_file(tmp_path: Path, share: float) -> None:
    archive = tar_of(tmp_path / "a.tar.gz", ("set/one", OTHER), ("set/two", CONTENT))
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(share * len(whole))])
    said = refusal(lambda: extract(archive, {"set/one": md5(OTHER), "set/two": md5(CONTENT)}, tmp_path / "data"))
    assert said.startswith(f"'{archive}' ")
    assert "set/two" not in files_in(tmp_path / "data")
    assert not any(name.endswith(".tmp") for name in files_in(tmp_path / "data"))


def test_what_a_kill_left_is_written_over(zipped: Path, tmp_path: Path) -> None:
    (tmp_path / ".images.tmp").write_bytes(OTHER)
    gunzip(zipped, tmp_path / "images", md5=md5(CONTENT))
    assert files_in(tmp_path) == ["images", "images.gz"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_sentence(zipped: Path, tmp_path: Path) -> None:
    (tmp_path / ".images.tmp").symlink_to("/dev/full")
    said = refusal(lambda: gunzip(zipped, tmp_path / "images"))
    assert said.startswith(f"There is no room for '{tmp_path / 'images'}' (No space left on device); free some")
    assert sorted(os.listdir(tmp_path)) == [LOCK, "images.gz"]


MEASURE = """
import pathlib, resource, sys
from pixelbench.data.download.unpack import extract, gunzip
archive, tar, folder, digest = sys.argv[1:]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
gunzip(pathlib.Path(archive), pathlib.Path(folder) / "unzipped", md5=digest)
extract(pathlib.Path(tar), {"large": digest}, pathlib.Path(folder))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in kilobytes, as Linux does")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    large = bytes(64 << 20)
    (tmp_path / "a.gz").write_bytes(gzip.compress(large, compresslevel=1))
    tar_of(tmp_path / "a.tar.gz", ("large", large))
    command = [sys.executable, "-c", MEASURE, tmp_path / "a.gz", tmp_path / "a.tar.gz", tmp_path / "data", md5(large)]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 32 << 10
    assert (tmp_path / "data" / "large").stat().st_size == len(large)
