"""`pixelbench check` on modules that end, hang, print, fork or take all memory: each in the process that it is really checked in."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pixelbench.cli.main import main
from pixelbench.experiments.foreign import own_process as foreign
from tests.cli.cli_stores import only_json
from tests.cli.misbehaving import MODULES

SMALL = ("--shape", "1,3,4", "--levels", "2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which holds the module file."""
    (tmp_path / "odd.py").write_text(MODULES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(capfd: pytest.CaptureFixture[str], name: str, *arguments: str) -> tuple[int, str, str]:
    """Exit code, and all that arrives on descriptors 1 and 2."""
    with pytest.raises(SystemExit) as ended:
        main(["check", f"odd.py:{name}", *(() if "--shape" in arguments else SMALL), *arguments])
    out, err = capfd.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.mark.by_default(3)
@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("exits", (), "'odd.py:exits' ended its process (exit code 0) while it was loaded, without a verdict"),
        ("ends", (), "Calling 'odd.py:ends' raised SystemExit (odd.py, line <sys.exit()>)"),
        ("interrupts", (), "Checking 'odd.py:interrupts' raised KeyboardInterrupt (odd.py, line <# in the factory>)"),
        ("Exits", (), "'odd.py:Exits' ended its process (exit code 0) while it was checked, without a verdict"),
        ("ExitsLater", (), "ExitsLater failed on"),
        ("Interrupts", (), "raised KeyboardInterrupt (odd.py, line <# in forward>)"),
        ("Aborts", (), "'odd.py:Aborts' had its process ended by SIGABRT while it was checked"),
        ("Closes", (), "'odd.py:Closes' closed the descriptors of the process that it runs in"),
        ("Allocates", ("--memory", "2GiB"), "'odd.py:Allocates' needs more than the 2 GiB of --memory (odd.py, line <torch.ones>)"),
        ("Hangs", ("--seconds", "0.5"), "did not end within the 0.5 s of --seconds and 1 s more, and was ended while it was"),
        ("PrintsAndFails", (), "no weights. Raised by odd.py, line <raise ValueError>."),
        ("SpoilsUs", (), "This is a fault of PixelBench (TypeError: "),
    ],
)
def test_no_verdict_is_2_and_one_sentence(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(foreign, "GRACE", 1.0 if name == "Hangs" else foreign.GRACE)
    code, out, err = check(capfd, name, *arguments, "--json")
    assert code == 2
    error = only_json(out)
    assert set(error) == {"schema", "error"}
    assert re.sub("<(.+)>", lambda found: str(_line_of(found[1])), said) in error["error"]
    assert "\n" not in error["error"]
    assert "Traceback" not in err


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("name", "arguments", "code", "verdict"),
    [
        ("Causal", ("--seconds", "30", "--memory", "4GiB"), 0, "causal"),
        ("Prints", (), 1, "leaky"),
        ("Forks", (), 0, "causal"),
    ],
)
def test_what_has_a_verdict_gets_it_and_nothing_else_is_printed(
    folder: Path, capfd: pytest.CaptureFixture[str], name: str, arguments: tuple[str, ...], code: int, verdict: str
) -> None:
    found, out, err = check(capfd, name, *arguments, "--json")
    assert (found, only_json(out)["verdict"]) == (code, verdict)
    assert err == f"Checking odd.py:{name} on 1x3x4 images …\n"


@pytest.mark.slow
def test_what_was_printed_is_shown_where_there_is_no_verdict(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = check(capfd, "PrintsAndFails")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    for text in ("printed by Python", "written below Python", "printed by C", "printed by another process", r"\x1b[31mred"):
        assert f"  {text}" in lines
    assert lines[-1].startswith("The module failed on")


@pytest.mark.slow
@pytest.mark.parametrize(("grace", "code"), [(60.0, 0), (0.1, 2)])
def test_the_time_limit_ends_what_is_later_and_nothing_that_is_not(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, grace: float, code: int
) -> None:
    monkeypatch.setattr(foreign, "GRACE", grace)
    assert check(capfd, "slow", "--seconds", "0.5")[0] == code


@pytest.mark.slow
def test_a_large_map_takes_memory_for_what_it_reaches(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """All pairs of 1x160x160 in float64 are 5 GB."""
    code, out, _ = check(capfd, "Causal", "--shape", "1,160,160", "--seconds", "8", "--memory", "2GiB", "--json")
    found = only_json(out)
    assert (code, found["verdict"], found["complete"]) == (0, "partial", False)
    assert 0 < found["positions_probed"] < found["positions_total"] == 25600


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_the_modules_process_ends_with_ours(folder: Path, number: signal.Signals, code: int) -> None:
    program = "from pixelbench.cli.main import main; main()"
    command = [sys.executable, "-c", program, "check", "odd.py:hangs", *SMALL]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        child = _number_in(folder / "child")
        started.send_signal(number)
        out, err = started.communicate(timeout=60)
    finally:
        started.kill()
    assert (started.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert _is_gone(child)


def _line_of(text: str) -> int:
    (number,) = (number for number, line in enumerate(MODULES.splitlines(), start=1) if text in line)
    return number


def _number_in(path: Path) -> int:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(OSError, ValueError):
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError("the module was never called")


def _is_gone(process: int) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":  # ended, and nobody asked
                return True
        time.sleep(0.05)
    return False
