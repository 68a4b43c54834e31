"""Slurm's own commands, asked for what is needed of them; what they say against it becomes one sentence."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from pixelbench.errors import UserError, nearest

#: A controller that is busy answers late; one that is down lets its clients wait for a minute or so.
_SECONDS = 120
#: Of an array's task that Slurm will still begin, or go on with.
_LIVE = {*("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "REQUEUED", "REQUEUE_HOLD", "RESIZING", "SIGNALING")}
_SPEAKER = re.compile(r"^\w+: (error: |fatal: )?")
#: Slurm's own default.
_MOST_TASKS = 1001


class NoAnswerError(UserError):
    """Slurm does not answer, perhaps only for now."""


@dataclass(frozen=True)
class Node:
    """A node that jobs may run on."""

    name: str
    partition: str
    gpus: bool


@dataclass(frozen=True)
class Task:
    """A task of an array, as the queue has it."""

    state: str
    """`RUNNING`, `PENDING`, `COMPLETED` and so on."""
    reason: str
    """Why it waits, as `Resources`; `None` where it does not."""
    node: str

    @property
    def live(self) -> bool:
        """Slurm will still begin it, or go on with it."""
        return self.state in _LIVE


def require_slurm() -> None:
    """Raise unless jobs can be submitted from here.

    Raises:
        UserError: there is no `sbatch`.
    """
    if shutil.which("sbatch") is None:
        raise UserError("Slurm is not here: no `sbatch` is on the path; use a login node of the cluster, or leave out --launcher slurm.")


def nodes(partition: str | None, names: str | None = None) -> list[Node]:
    """The nodes of a partition, by default of Slurm's default one; `names`: only these, as `node[1-3]`.

    Raises:
        UserError: there is no such partition, or Slurm does not answer.
    """
    found = [tuple(line.split("|")) for line in ask(["sinfo", "-h", "-N", "-o", "%N|%P|%G", *(["-n", names] if names else [])])]
    partitions = {title.rstrip("*") for _, title, _ in found}
    if partition is not None and partition not in partitions and names is None:
        near = nearest(partition, partitions)
        hint = f" Did you mean '{near}'?" if near else ""
        raise UserError(f"Slurm has no partition '{partition}'.{hint} Known: {', '.join(sorted(partitions))}.")
    chosen = [entry for entry in found if (entry[1].endswith("*") if partition is None else entry[1].rstrip("*") == partition)]
    return [Node(name, title.rstrip("*"), "gpu" in gres) for name, title, gres in chosen]


def most_tasks() -> int:
    """The largest index of a task in an array here."""
    lines = [line.partition("=") for line in ask(["scontrol", "show", "config"])]
    said = next((value.strip() for name, _, value in lines if name.strip() == "MaxArraySize"), "")
    return (int(said) if said.isdecimal() else _MOST_TASKS) - 1


def submit(command: Sequence[str]) -> str:
    """Submit by `sbatch --parsable …`; returns the job's number.

    Raises:
        UserError: Slurm does not take it; the sentence has what it says.
    """
    return ask(command)[-1].partition(";")[0].strip()


def tasks(job: str) -> dict[int, Task]:
    """The tasks of an array that the queue still knows, by their index; those that ended are forgotten after some minutes.

    Raises:
        NoAnswerError: the controller is away.
    """
    try:
        lines = ask(["squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%K|%T|%r|%N"])
    except NoAnswerError:
        raise
    except UserError:  # "Invalid job id specified": all have ended, some time ago
        return {}
    found = [line.split("|") for line in lines]
    return {int(index): Task(state, reason, node) for index, state, reason, node in found if index.isdecimal()}


def ask(command: Sequence[str]) -> list[str]:
    """The lines of a command's answer.

    Raises:
        NoAnswerError: there is no such command, or no controller that answers it.
        UserError: it ends with an error; the sentence has what it says.
    """
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, errors="replace", timeout=_SECONDS)
    except FileNotFoundError:
        raise NoAnswerError(f"Slurm does not answer: there is no `{command[0]}` here.") from None
    except subprocess.TimeoutExpired:
        raise NoAnswerError(f"Slurm does not answer: `{command[0]}` took longer than {_SECONDS} s.") from None
    if done.returncode == 0:
        return [line for line in done.stdout.splitlines() if line.strip()]
    said = "; ".join(dict.fromkeys(_SPEAKER.sub("", line.strip()).rstrip(".") for line in done.stderr.splitlines() if line.strip()))
    if re.search(r"unable to contact slurm controller|socket timed out|connection refused|configuration source", said, re.IGNORECASE):
        raise NoAnswerError(f"Slurm does not answer: {said}.")
    raise UserError(f"Slurm refuses `{command[0]}`: {said or f'exit code {done.returncode}'}.")
