"""Several processes for each run: those that `torchrun` has started, or that `--gpus-per-run` starts. All but the first only take part."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pixelbench.cli.output import FAILED, ended_by, say
from pixelbench.errors import UserError
from pixelbench.experiments.devices import count_cuda_devices
from pixelbench.experiments.signals import handling

#: What `torchrun` tells each process of itself and of where they meet.
_TOLD = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_POLL_SECONDS = 0.1
#: After one process has died, for the others to notice and to write what they have; and then after SIGTERM.
_GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class Place:
    """This process among those of the command: number `rank` of `size`."""

    rank: int = 0
    size: int = 1

    @classmethod
    def of_process(cls) -> "Place":
        """As the environment tells; the only one where it does not."""
        if not all(os.environ.get(name) for name in _TOLD):
            return cls()
        return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))

    def check(self, gpus_per_run: int | None, workers: str | None, device: str, compile: str) -> None:
        """Raise UserError: options that contradict the processes that there are or are to be."""
        size = gpus_per_run or self.size
        if self.size not in (1, size):
            raise UserError(f"--gpus-per-run {size} and {self.size} processes that are there already contradict each other; leave it out.")
        if gpus_per_run is not None and self.size == 1:
            _check_devices(gpus_per_run, device)
        if size == 1:
            return
        if workers is not None:
            raise UserError(f"--workers executes several runs at once, and {size} processes share each run here; leave it out.")
        if compile != "off":
            raise UserError(f"--compile is for a run by one process, and {size} share each run here; leave it out.")
        if ":" in device:
            raise UserError(f"--device {device} is one device, and each of {size} processes takes its own; expected --device cuda.")

    def taken(self, gpus_per_run: int | None) -> int | None:
        """The exit code of a process that only takes part in what the first does, or that starts those who do; None in the first.

        However the first one ends, they end as well.
        """
        if self.size == 1 and gpus_per_run is not None and gpus_per_run > 1:
            return start(gpus_per_run, [sys.executable, "-m", "pixelbench", *sys.argv[1:]])
        if self.size == 1:
            return None
        from pixelbench.experiments.run.ranks import meet

        ranks = meet()
        if self.rank:
            return ranks.follow()
        atexit.register(ranks.dismiss)
        return None

    def own(self, device: str) -> str:
        """The device of this process, of those of a run."""
        if self.size == 1:
            return device
        from pixelbench.experiments.run.ranks import meet

        return meet().own(device)


def start(size: int, command: list[str]) -> int:
    """Run so many processes of a command that share each run, as `torchrun` would; returns the first one's exit code.

    Signals go to the first, which tells the others. When one dies, the others have a moment to write what they have, and are ended then.
    """
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    threads = str(max(1, int(os.environ.get("OMP_NUM_THREADS", "0") or 0) or (os.cpu_count() or 1) // size))
    environment = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": str(size),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    environment |= {"OMP_NUM_THREADS": threads, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    processes: list[subprocess.Popen[bytes]] = []
    with _passing_signals(processes):
        try:
            for rank in range(size):
                environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                processes.append(subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True))
            return _code(_watched(processes))
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _watched(processes: list["subprocess.Popen[bytes]"]) -> int:
    """Wait for the first process; returns what it ended with."""
    first, died, terminated = processes[0], None, False
    while first.poll() is None:
        time.sleep(_POLL_SECONDS)
        fallen = [rank for rank, process in enumerate(processes) if rank and process.poll() not in (None, 0)]
        if fallen and died is None:
            died = time.monotonic()
            say(f"Process {fallen[0]} of the {len(processes)} that share each run has ended, with {processes[fallen[0]].returncode}.")
        elif died is not None and time.monotonic() - died > _GRACE_SECONDS:
            first.kill() if terminated else first.terminate()
            died, terminated = time.monotonic(), True
    for process in processes[1:]:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_GRACE_SECONDS)
    return first.returncode


def _code(returned: int) -> int:
    return returned if returned >= 0 else ended_by(-returned) if returned != -signal.SIGKILL else FAILED


@contextlib.contextmanager
def _passing_signals(processes: list["subprocess.Popen[bytes]"]) -> Iterator[None]:
    """Within, signals to this process go to the first of `processes`."""

    def pass_on(number: int, frame: object) -> None:
        if not processes:
            raise SystemExit(ended_by(number))
        processes[0].send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
    with handling(numbers, pass_on):
        yield


def _check_devices(gpus: int, device: str) -> None:
    if device == "cpu":
        raise UserError(f"--gpus-per-run {gpus} needs CUDA devices, and --device is cpu; leave one of the two out.")
    there = count_cuda_devices()
    if there < gpus:
        found = "none that torch can use" if not there else f"{there}"
        raise UserError(f"--gpus-per-run {gpus} needs {gpus} CUDA device{'s' if gpus > 1 else ''}, and there is {found} here.")
