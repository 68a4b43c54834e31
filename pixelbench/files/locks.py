"""One lock a run, so that two `pixelbench run` at once share the work and never execute one run twice."""

import contextlib
import fcntl
import os
import secrets
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from pixelbench.errors import UserError

#: Exits with 0 where it gets the lock on the file that it is given, and with 1 where somebody holds it.
_SECOND = """
import fcntl, os, sys
try:
    fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(1)
"""


class RunLock:
    """An advisory lock on `<store>/work/locks/<key>.lock`; the kernel frees it when its holder ends, however it ends.

    On NFS the server has the lock: where a node dies it is freed when its lease has run out (90 s unless the server says otherwise; under
    NFS 3, without leases, when the node is up again). The file stays: removing it would let a third process lock a new file of the same
    name while the old one is still held.
    """

    def __init__(self, store: Path, key: str) -> None:
        self._path = store / "work" / "locks" / f"{key}.lock"
        self._descriptor: int | None = None

    def acquire(self, *, blocking: bool = False) -> bool:
        """Whether the lock is now held; waits for it only if `blocking`.

        Raises:
            UserError: the file system of the store cannot lock files.
            OSError: the lock file cannot be created.
        """
        if self._descriptor is not None:
            raise RuntimeError(f"{self._path.name} is already held by this object")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:
            os.close(descriptor)
            said = f"The results folder's file system cannot lock files ({error.strerror}); choose another with --results DIR."
            raise UserError(said) from error
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Free the lock; nothing happens where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def probe_locks(store: Path) -> None:
    """Hold a lock in the store while another process tries for it.

    Raises:
        UserError: the file system cannot lock files, or gives both the lock.
        OSError: the lock file cannot be created.
    """
    name = f"probe-{secrets.token_hex(6)}"
    path = store / "work" / "locks" / f"{name}.lock"
    try:
        with RunLock(store, name) as lock:
            lock.acquire()
            second = subprocess.run([sys.executable, "-I", "-S", "-c", _SECOND, path], capture_output=True, timeout=60)
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    if second.returncode != 1:
        raise UserError("The results folder's file system gives one lock to two processes; choose another with --results DIR.")
