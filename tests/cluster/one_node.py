"""A Slurm of one node on loopback addresses: munge, controller and node daemon with a configuration, keys and folders of their own."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

#: The node claims more cores than there may be, so that several tasks run at once; nothing is bound to them.
CORES = 4
#: Seconds after its start from which on a job is missed that a node which registers does not know.
MISSING_AFTER = 2
#: Seconds that Slurm lets a requeued job wait, two minutes by default: until what its last attempt was allowed has expired. One that is
#: told to begin at once may be found failed: its node takes it for killed ("already killed, do not launch batch job").
REQUEUED_AFTER = 10
_CONFIGURATION = """\
ClusterName=pixelbench
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire={requeued_after}
CredType=cred/munge
SlurmctldPort={controller}
SlurmdPort={node}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
ReturnToService=2
KillWait=20
BatchStartTimeout={missing_after}
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname={host} CPUs={cores} RealMemory=500 State=UNKNOWN
PartitionName=debug Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")


class CannotStartError(Exception):
    """Why there is no Slurm here."""


class OneNode:
    """A running Slurm; `environment` is what a process needs to find it."""

    def __init__(self, folder: Path) -> None:
        """Start it in `folder`, a new one with a short name.

        Raises:
            CannotStartError: a program is missing, or does not start.
        """
        missing = [name for name in _PROGRAMS if shutil.which(name, path=_path()) is None]
        if missing or os.geteuid() != 0:
            raise CannotStartError(f"no {', '.join(missing)} (Debian: slurm-wlm, munge)" if missing else "only root may start its daemons")
        self.folder = folder
        self.environment = {**os.environ, "PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf")}
        for name in ("state", "spool"):
            (folder / name).mkdir()
        controller, node = _free_ports(2)
        values: dict[str, Any] = {"folder": folder, "controller": controller, "node": node, "cores": CORES, "user": "root"}
        values |= {"missing_after": MISSING_AFTER, "requeued_after": REQUEUED_AFTER, "host": socket.gethostname().partition(".")[0]}
        text = _CONFIGURATION.format(**values)
        (folder / "slurm.conf").write_text(text)
        try:
            self._start_munge()
            self.start("slurmctld", "-c")
            self.start("slurmd", "-c")
            self.wait_for(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"), 30)
        except (CannotStartError, TimeoutError):
            self.stop()
            raise CannotStartError(f"the daemons do not start: {self.last_lines()}") from None

    def ask(self, *command: str) -> str:
        """The standard output of a command; empty where it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else ""

    def tell(self, *command: str) -> None:
        """A command that must go well."""
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=60)

    def try_to(self, *command: str) -> None:
        """A command whose job may have ended meanwhile."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.tell(*command)

    def states(self, job: str) -> dict[int, str]:
        """Index → state of an array's tasks."""
        lines = self.ask("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%K|%T").split()
        found = [line.partition("|") for line in lines]
        return {int(index): state for index, _, state in found if index.isdecimal()}  # N/A of one that is just being cancelled

    def wait_for(self, condition: Any, seconds: float) -> None:
        """Until it holds.

        Raises:
            TimeoutError: it does not.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.2)

    def start(self, daemon: str, *options: str) -> None:
        """Start one of its daemons, which goes on by itself."""
        done = subprocess.run([daemon, *options], env=self.environment, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise CannotStartError(done.stderr)

    def end(self, daemon: str) -> None:
        """End one of its daemons and wait for that."""
        try:
            number = int((self.folder / f"{daemon}.pid").read_text())
            os.kill(number, 15)
        except (OSError, ValueError):
            return
        deadline = time.monotonic() + 20
        while Path(f"/proc/{number}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def stop(self) -> None:
        """End all jobs and daemons."""
        self.ask("scancel", "--user=root", "--full")
        for daemon in ("slurmd", "slurmctld", "munged"):
            self.end(daemon)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        files = {"key-file": "key", "socket": "sock", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        paths = {name: self.folder / f"munge.{ending}" for name, ending in files.items()} | {"pid-file": self.folder / "munged.pid"}
        self.start("munged", *(f"--{name}={path}" for name, path in paths.items()), "--num-threads=1", "--force")

    def last_lines(self, count: int = 1) -> str:
        """Of each daemon's log."""
        logs = [self.folder / f"{name}.log" for name in ("slurmctld", "slurmd", "munge")]
        return "\n".join(line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()[-count:])


def _path() -> str:
    """Debian has the daemons where only root's shell looks."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
