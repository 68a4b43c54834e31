"""One holder at a time, across processes; the kernel frees the lock of a dead one."""

import subprocess
import sys
from pathlib import Path

from pixelbench.files.locks import RunLock

HOLD = (
    "import pathlib, sys; from pixelbench.files.locks import RunLock\n"
    "lock = RunLock(pathlib.Path(sys.argv[1]), 'k'); print(lock.acquire(), flush=True); sys.stdin.read()"
)


def test_two_locks_of_one_run_exclude_each_other(tmp_path: Path) -> None:
    first, second = RunLock(tmp_path, "k"), RunLock(tmp_path, "k")
    assert first.acquire()
    assert not second.acquire()
    assert RunLock(tmp_path, "other").acquire()
    first.release()
    assert second.acquire()


def test_kill_frees_the_lock(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with RunLock(tmp_path, "k") as lock:
            assert not lock.acquire()
            holder.kill()
            assert lock.acquire(blocking=True)
