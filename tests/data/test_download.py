"""Downloads against a server that truncates, stalls, corrupts and hangs up: the file is whole and verified, or not there at all."""

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from pixelbench.data import whole
from pixelbench.data.download import files as module
from pixelbench.data.download import transfer
from pixelbench.data.download.files import MIRROR, Remote, download
from pixelbench.data.download.progress import DownloadStep
from pixelbench.errors import UserError
from tests.support.local_server import GIVE_UP, Fault, LocalServer, serving

NAME = "images.bin"
CONTENT = random.Random(0).randbytes(1 << 20)
MD5 = hashlib.md5(CONTENT).hexdigest()
HALF = len(CONTENT) // 2

PROGRAM = """
import pathlib, sys
from pixelbench.data.download.files import Remote, download
from pixelbench.data.download.progress import DownloadStep
def report(step: DownloadStep) -> None:
    print(step.what, step.done, step.total, flush=True)
url, md5, target = sys.argv[1:]
download(Remote("images.bin", (url,), md5), pathlib.Path(target), report)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirror and no proxy, and no waiting."""
    monkeypatch.delenv(MIRROR)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(whole, "LOOK", 0.05)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with serving({NAME: CONTENT}) as local:
        yield local


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / NAME


def silent(step: DownloadStep) -> None:
    """A report that nobody reads."""


def part_of(target: Path) -> Path:
    return target.with_name(f"{NAME}.part")


def fetch(server: LocalServer, target: Path, *more_urls: str, report: Callable[[DownloadStep], None] = silent) -> None:
    download(Remote(NAME, (server.url(NAME), *more_urls), MD5), target, report)


def refusal(server: LocalServer, target: Path, *more_urls: str) -> str:
    with pytest.raises(UserError) as caught:
        fetch(server, target, *more_urls)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_whole(target: Path) -> None:
    """The file is there, and nothing else but the lock's file."""
    assert target.read_bytes() == CONTENT
    assert sorted(path.name for path in target.parent.iterdir()) == [whole.LOCK, NAME]


def start(server: LocalServer, target: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", PROGRAM, server.url(NAME), MD5, target], stdout=subprocess.PIPE, text=True)


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + GIVE_UP
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def test_a_file_comes_whole_with_its_progress(server: LocalServer, target: Path) -> None:
    steps: list[DownloadStep] = []
    fetch(server, target, report=steps.append)
    assert_whole(target)
    assert {(step.what, step.total, step.unit) for step in steps} == {(NAME, len(CONTENT), "bytes")}
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == len(CONTENT)
    (seen,) = server.seen
    assert seen.headers["user-agent"] == "pixelbench"
    assert "range" not in seen.headers


def test_a_file_that_is_there_is_not_fetched_and_a_wrong_one_is_replaced(server: LocalServer, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    fetch(server, target)
    assert not server.seen
    target.write_bytes(CONTENT[:-1])
    fetch(server, target)
    assert_whole(target)
    assert len(server.seen) == 1


def test_a_truncated_file_goes_on_where_it_ended(server: LocalServer, target: Path) -> None:
    server.faults = [Fault(after=1000), Fault(after=2000)]
    fetch(server, target)
    assert_whole(target)
    assert [seen.start for seen in server.seen] == [0, 1000, 3000]
    assert all("if-range" in seen.headers for seen in server.seen[1:])


def test_a_file_that_always_ends_early_is_an_error_that_keeps_what_came(server: LocalServer, target: Path) -> None:
    server.faults = [Fault(after=1000)]
    server.always = Fault(after=0)
    said = refusal(server, target)
    assert "the connection ended after 1,000 of 1,048,576 bytes" in said
    assert "the 1,000 bytes that came are kept" in said
    assert f"put the file into '{target.parent}' yourself" in said
    assert len(server.seen) == 1 + module.FRUITLESS
    assert not target.exists()
    assert part_of(target).read_bytes() == CONTENT[:1000]
    server.always = Fault()
    fetch(server, target)
    assert_whole(target)
    assert server.seen[-1].start == 1000


def test_a_stalled_connection_is_given_up_and_gone_on_with(server: LocalServer, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "STALL", 0.2)
    server.faults = [Fault(after=1000, then="stall")]
    fetch(server, target)
    assert_whole(target)
    assert [seen.start for seen in server.seen] == [0, 1000]
    target.unlink()
    server.always = Fault(after=0, then="stall")
    assert "(nothing came for 0.2 seconds)" in refusal(server, target)
    assert not target.exists()


def test_a_dropped_connection_and_a_busy_server_are_tried_again(server: LocalServer, target: Path) -> None:
    server.faults = [Fault(dropped=True), Fault(status=503)]
    fetch(server, target)
    assert_whole(target)
    assert len(server.seen) == 3


def test_a_corrupted_file_is_deleted_and_the_next_address_tried(server: LocalServer, target: Path) -> None:
    server.faults = [Fault(after=HALF, then="corrupt")]
    server.files["mirror.bin"] = CONTENT
    fetch(server, target, server.url("mirror.bin"))
    assert_whole(target)
    assert [seen.path for seen in server.seen] == [f"/{NAME}", "/mirror.bin"]
    assert server.seen[1].start == 0


def test_a_file_that_is_corrupted_everywhere_leaves_nothing(server: LocalServer, target: Path) -> None:
    server.always = Fault(after=HALF, then="corrupt")
    server.files["mirror.bin"] = CONTENT
    said = refusal(server, target, server.url("mirror.bin"))
    assert said.count("what came is damaged or another file: its MD5 is ") == 2
    assert f"not {MD5}; it was deleted" in said
    assert server.url(NAME) in said
    assert server.url("mirror.bin") in said
    assert [path.name for path in target.parent.iterdir()] == [whole.LOCK]


def test_contents_are_looked_at_where_no_md5_is_known(server: LocalServer, target: Path) -> None:
    remote = Remote(NAME, (server.url(NAME),))
    with pytest.raises(UserError, match="another file: the digits are upside down; it was deleted"):
        download(remote, target, silent, verify=lambda path: "the digits are upside down" if path.read_bytes() == CONTENT else "empty")
    assert not target.exists()
    download(remote, target, silent, verify=lambda path: None if path.read_bytes() == CONTENT else "other")
    assert_whole(target)
    with pytest.raises(ValueError, match="no MD5"):
        download(remote, target, silent)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_server_that_ignores_ranges_starts_again(server: LocalServer, target: Path, chunked: bool) -> None:
    server.ignores_range = True
    server.faults = [Fault(after=1000), Fault(chunked=chunked)]
    fetch(server, target)
    assert_whole(target)
    assert [seen.partial for seen in server.seen] == [False, False]


def test_a_part_that_is_longer_than_the_file_starts_again(server: LocalServer, target: Path) -> None:
    server.faults = [Fault(after=1000)]
    server.always = Fault(status=404)
    refusal(server, target)
    part_of(target).write_bytes(CONTENT + b"more")
    server.always = Fault()
    fetch(server, target)
    assert_whole(target)
    assert [seen.start for seen in server.seen[-2:]] == [len(CONTENT) + 4, 0]


def test_another_part_than_the_one_asked_for_is_not_taken(server: LocalServer, target: Path) -> None:
    server.faults = [Fault(after=1000), Fault(shift=1)]
    fetch(server, target)
    assert_whole(target)
    assert [seen.start for seen in server.seen] == [0, 1000, 0]


@pytest.mark.parametrize("length", [len(CONTENT), 2 * len(CONTENT)])
@pytest.mark.parametrize(("mark", "partial"), [("strong", [False]), ("weak", [True, False]), ("none", [True, False])])
def test_a_part_of_another_version_is_not_mixed_with_this_one(
    server: LocalServer, target: Path, mark: Literal["strong", "weak", "none"], partial: list[bool], length: int
) -> None:
    server.mark = mark
    server.files[NAME] = bytes(length)
    server.faults = [Fault(after=1000), Fault(status=404)]
    refusal(server, target)
    server.files[NAME] = CONTENT
    fetch(server, target)
    assert_whole(target)
    assert [seen.partial for seen in server.seen[2:]] == partial
    assert {"if-range" in seen.headers for seen in server.seen[1:3]} == {mark == "strong"}


def test_a_part_of_another_address_is_not_mixed_with_this_one(server: LocalServer, target: Path) -> None:
    server.files["mirror.bin"] = bytes(len(CONTENT))
    server.faults = [Fault(after=1000), Fault(status=404)]
    with pytest.raises(UserError):
        download(Remote(NAME, (server.url("mirror.bin"),), MD5), target, silent)
    fetch(server, target)
    assert_whole(target)
    assert [seen.start for seen in server.seen] == [0, 1000, 0]


def test_the_address_that_a_part_is_from_comes_first(server: LocalServer, target: Path) -> None:
    server.files["mirror.bin"] = CONTENT
    server.faults = [Fault(status=404), Fault(after=1000), Fault(status=404)]
    refusal(server, target, server.url("mirror.bin"))
    fetch(server, target, server.url("mirror.bin"))
    assert_whole(target)
    assert (server.seen[-1].path, server.seen[-1].start) == ("/mirror.bin", 1000)


def test_a_whole_part_needs_no_server(server: LocalServer, target: Path) -> None:
    """A kill between the last byte and the new name."""

    def killed(path: Path) -> str | None:
        raise KeyboardInterrupt

    remote = Remote(NAME, (server.url(NAME),))
    with pytest.raises(KeyboardInterrupt):
        download(remote, target, silent, verify=killed)
    assert not target.exists()
    fetch(server, target)
    assert_whole(target)
    assert len(server.seen) == 1


def test_redirects_are_followed_to_web_addresses_only(server: LocalServer, target: Path, tmp_path: Path) -> None:
    server.redirects = {"moved": f"/{NAME}"}
    download(Remote(NAME, (server.url("moved"),), MD5), target, silent)
    assert_whole(target)
    target.unlink()
    (tmp_path / "secret").write_bytes(CONTENT)
    for other in (f"file://{tmp_path}/secret", "ftp://127.0.0.1/images.bin"):
        server.redirects = {"moved": other}
        with pytest.raises(UserError, match=r"HTTP 302|unknown url type"):
            download(Remote(NAME, (server.url("moved"),), MD5), target, silent)
    for url in (f"file://{tmp_path}/secret", "ftp://127.0.0.1/images.bin", "images.bin", "http://[::1", "http://host:port/images.bin"):
        with pytest.raises(UserError, match=r"no http or https address|nonnumeric port") as caught:
            download(Remote(NAME, (url,), MD5), target, silent)
        assert url in str(caught.value)
    assert not target.exists()


def test_what_cannot_be_reached_is_said_at_once(server: LocalServer, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"Could not get '{NAME}' from {server.url('other')} (HTTP 404 Not Found); try again" in refused(server.url("other"), target)
    assert len(server.seen) == 1
    assert "http://127.0.0.1:9/x (Connection refused)" in refused("http://127.0.0.1:9/x", target)

    def unknown(*address: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "http://nowhere.invalid/x (Name or service not known)" in refused("http://nowhere.invalid/x", target)


def refused(url: str, target: Path) -> str:
    with pytest.raises(UserError) as caught:
        download(Remote(NAME, (url,), MD5), target, silent)
    return str(caught.value)


def test_a_mirror_is_the_only_place(server: LocalServer, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MIRROR, f"http://127.0.0.1:{server.port}/")
    remote = Remote(NAME, ("http://127.0.0.1:9/elsewhere",), MD5)
    download(remote, target, silent)
    assert_whole(target)
    target.unlink()
    server.files.clear()
    with pytest.raises(UserError, match=rf"from {server.url(NAME)} \(HTTP 404 Not Found\), the only place that {MIRROR} allows"):
        download(remote, target, silent)


def test_an_interrupt_leaves_the_part_and_no_lock(server: LocalServer, target: Path) -> None:
    server.faults = [Fault(after=1000, then="stall")]

    def interrupt(step: DownloadStep) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, target, report=interrupt)
    assert part_of(target).read_bytes() == CONTENT[:1000]
    fetch(server, target)
    assert_whole(target)
    assert server.seen[-1].start == 1000


def test_a_killed_download_is_resumed(server: LocalServer, target: Path) -> None:
    server.faults = [Fault(after=HALF, then="stall")]
    with start(server, target) as killed:
        wait_for(lambda: part_of(target).is_file() and part_of(target).stat().st_size == HALF)
        assert not target.exists()
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert part_of(target).read_bytes() == CONTENT[:HALF]
    with start(server, target) as second:
        second.communicate()
    assert second.returncode == 0
    assert_whole(target)
    assert [(seen.start, seen.partial) for seen in server.seen] == [(0, False), (HALF, True)]


def test_of_two_processes_one_downloads_and_the_other_waits(server: LocalServer, target: Path) -> None:
    server.faults = [Fault(after=HALF, then="stall")]
    with start(server, target) as first:
        wait_for(lambda: part_of(target).is_file() and part_of(target).stat().st_size == HALF)
        with start(server, target) as second:
            assert second.stdout is not None
            assert second.stdout.readline().startswith("waiting for another process")
            server.released.set()
            assert "images.bin" not in second.stdout.read()
        assert first.stdout is not None
        assert first.stdout.read().splitlines()[-1] == f"images.bin {len(CONTENT)} {len(CONTENT)}"
    assert (first.returncode, second.returncode) == (0, 0)
    assert_whole(target)
    assert len(server.seen) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_sentence(server: LocalServer, target: Path) -> None:
    target.parent.mkdir()
    part_of(target).symlink_to("/dev/full")
    said = refusal(server, target)
    assert said.startswith(f"There is no room for '{part_of(target)}' (No space left on device); free some, or name another data folder")
    assert not target.exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = refusal(server, tmp_path / "file" / NAME)
    assert said.startswith(f"'{tmp_path / 'file'}' cannot be written (")
    assert not server.seen
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_in_the_place_of_the_file_is_one_sentence(server: LocalServer, target: Path) -> None:
    target.mkdir(parents=True)
    assert refusal(server, target).startswith(f"'{target}' cannot be written (Is a directory)")
