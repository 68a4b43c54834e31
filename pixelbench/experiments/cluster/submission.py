"""The submission of a plan to Slurm: the script of its tasks and what is kept of it, both in the store's work folder."""

import json
import os
import re
import secrets
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pixelbench.experiments.cluster.array import Array, warning_of
from pixelbench.experiments.cluster.slurm import submit
from pixelbench.files.atomic import write_json, write_text

_NAME = "submission.json"
_NOT_IN_NAMES, _LONGEST_NAME = re.compile(r"[^\w.-]+", re.ASCII), 60
#: What of the environment the tasks need, whatever Slurm hands on of it.
_VARIABLES = ("PYTHONPATH", "PIXELBENCH_DATA", "PIXELBENCH_MIRROR", "XDG_CACHE_HOME")
#: Tries to requeue a task whose time is up, and the seconds between them: most of its two minutes.
_TRIES, _PAUSE = 15, 5
#: Two messages of the batch shell to the command: its time is up (it is requeued), and end (it is not, by us).
_SCRIPT = """\
#!/bin/bash
# A task of an array of runs: {title}. Submitted by
#   {submitted}
# Its runs are the suite's shard of the task's number, in the results folder that this file lies in. Whatever ends it, they go on from their
# last checkpoint: Slurm begins a task again that was preempted or whose node died, and this script one whose time is up.
if [ ! -e {here} ]; then
  echo "Node $(hostname) does not have the results folder {store_said}; put it on a file system that all nodes share." >&2
  exit 2
fi
cd {folder} || exit 2
{exports}

told=no; out_of_time=no; tries=0
time_is_up() {{ told=yes; out_of_time=yes; kill -USR2 "$command" 2>/dev/null; }}
end() {{ told=yes; kill -TERM "$command" 2>/dev/null; }}
trap time_is_up USR1
trap end TERM

{command} --shard "$SLURM_ARRAY_TASK_ID/{shards}" &
command=$!
wait "$command"; code=$?
while [ "$told" = yes ]; do  # a trapped signal ends the wait, not the command
  told=no
  wait "$command"; code=$?
done
if [ "$out_of_time" = yes ] && [ "$code" -eq 140 ]; then
  echo "The time of this job is up; requeueing it, to go on from the last checkpoint."
  until scontrol requeue "$SLURM_JOB_ID" || [ "$told" = yes ] || [ $((tries += 1)) -ge {tries} ]; do
    sleep {pause}  # the controller may be away for a moment
  done
fi
exit "$code"
"""


@dataclass(frozen=True)
class JobOptions:
    """What of Slurm is asked for."""

    partition: str | None = None
    gpus_per_run: int | None = None
    time: str | None = None
    seconds: int | None = None
    """`time` in seconds."""
    parallel: int | None = None
    """Tasks that may run at once."""
    more: tuple[str, ...] = ()
    """Further options of sbatch, `--account=mine`; they win."""


@dataclass(frozen=True)
class Submission:
    """An array of jobs that was submitted."""

    job: str
    suite: str
    sbatch: tuple[str, ...]
    """The command that submitted it."""
    runs: Mapping[str, Mapping[str, int | str]]
    """Run key → `label`, `task` (its index in the array), and `folder` below the store."""

    @property
    def cancel(self) -> str:
        """The command that ends it."""
        return f"scancel {self.job}"


def submit_array(store: Path, suite: str, array: Array, command: Sequence[str], options: JobOptions) -> Submission:
    """Write the script of the tasks and submit it.

    Args:
        store: the results folder, absolute; it is there.
        suite: its name, for the job's.
        array: the tasks.
        command: executes the whole plan; each task adds its `--shard`.
        options: of the jobs.

    Raises:
        UserError: Slurm does not take it; nothing of it stays in the store.
        OSError: the store cannot be written.
    """
    folder = store / "work" / "slurm" / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    script = folder / "job.sh"
    sbatch = sbatch_command(script, suite, array, options)
    folder.mkdir(parents=True)
    write_text(script, _script(script, store, suite, array, command, sbatch))
    try:
        job = submit(sbatch)
    except BaseException:
        script.unlink()
        folder.rmdir()
        raise
    runs = {
        cell.spec.key: {
            "label": cell.spec.label,
            "task": index,
            "folder": os.path.relpath(cell.folder.absolute(), store),
        }
        for index, cells in array.tasks.items()
        for cell in cells
    }
    made = Submission(job, suite, tuple(sbatch), runs)
    write_json(folder / _NAME, asdict(made))
    return made


def sbatch_command(script: Path, suite: str, array: Array, options: JobOptions) -> list[str]:
    """The command that submits `script`: requeued whenever that helps, warned in time, one log a task that grows with each attempt."""
    at_once = f"%{options.parallel}" if options.parallel else ""
    log = str(script.parent).replace("%", "%%")
    return [
        "sbatch",
        "--parsable",
        f"--job-name=pixelbench-{_NOT_IN_NAMES.sub('-', suite)[:_LONGEST_NAME]}",
        f"--array={array.indices}{at_once}",
        "--requeue",
        f"--signal=B:USR1@{warning_of(options.seconds)}",
        f"--output={log}/%a.log",
        "--open-mode=append",
        *([f"--partition={options.partition}"] if options.partition else []),
        *([f"--time={options.time}"] if options.time else []),
        *([f"--gres=gpu:{options.gpus_per_run}"] if options.gpus_per_run else []),
        *options.more,
        str(script),
    ]


def submissions(store: Path) -> Iterator[Submission]:
    """What was submitted for this store, oldest first; files that cannot be read are left out."""
    for path in sorted((store / "work" / "slurm").glob(f"*/{_NAME}")):
        try:
            values = json.loads(path.read_bytes())
            yield Submission(**{**values, "sbatch": tuple(values["sbatch"])})
        except (OSError, ValueError, TypeError, KeyError):
            continue


def _script(script: Path, store: Path, suite: str, array: Array, command: Sequence[str], sbatch: Sequence[str]) -> str:
    """Threads as cores are asked for (one unless `cpus-per-task` says otherwise): their number decides the last bits of a result."""
    exports = ['export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"']
    exports += [f"export {name}={shlex.quote(os.environ[name])}" for name in _VARIABLES if os.environ.get(name)]
    return _SCRIPT.format(
        title=f"suite {_one_line(suite)}",
        submitted=_one_line(shlex.join(sbatch)),
        folder=shlex.quote(os.getcwd()),
        exports="\n".join(exports),
        here=shlex.quote(str(script)),
        store_said=_inside_double_quotes(f"'{store}'"),
        command=shlex.join(command),
        shards=array.shards,
        tries=_TRIES,
        pause=_PAUSE,
    )


def _one_line(text: str) -> str:
    """As a comment has it: a line break would end the comment."""
    return " ".join(text.split())


def _inside_double_quotes(text: str) -> str:
    return "".join(f"\\{letter}" if letter in '"$`\\' else letter for letter in text)
