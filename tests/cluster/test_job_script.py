"""The script of a task, executed: what it does when its time is up, and when it is told to end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pixelbench.experiments.cluster.array import Array
from pixelbench.experiments.cluster.submission import JobOptions, submit_array
from tests.cluster.fake_slurm import FakeSlurm

#: Ends as the command does: with 140 when its time is up, with 143 when it is told to end; and at once with what it is given.
_COMMAND = """
import signal, sys, time
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(140))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print("ready", flush=True)
time.sleep(60)
"""
_AWAY = """#!/bin/sh
echo asked >> {log}
[ "$(wc -l < {log})" -ge {answers_from} ] || {{ echo "Unable to contact slurm controller" >&2; exit 1; }}
"""


class Task:
    """A task's script with a command of ours, and a controller that answers from the n-th time on that it is asked."""

    def __init__(self, fake: FakeSlurm, folder: Path, answers_from: int) -> None:
        self.log = folder / "requeued"
        self.log.touch()
        submit_array(folder / "store", "tiny", Array(1, {1: ()}), [sys.executable, "-c", _COMMAND], JobOptions())
        (script,) = (Path(words[-1]) for words in fake.asked("sbatch"))
        for name, text in (("scontrol", _AWAY.format(log=self.log, answers_from=answers_from)), ("sleep", "#!/bin/sh\n")):
            (fake.folder / name).write_text(text)
            (fake.folder / name).chmod(0o755)
        theirs = {**os.environ, "told": "yes", "out_of_time": "yes", "tries": "99"}  # Slurm hands the environment of `sbatch` on
        self.shell = subprocess.Popen(["bash", script], stdout=subprocess.PIPE, text=True, env=theirs)
        assert self.shell.stdout is not None
        assert self.shell.stdout.readline() == "ready\n"

    def end_by(self, number: signal.Signals) -> tuple[int, int]:
        """Exit code after that signal to the shell, and how often it asked to be requeued."""
        self.shell.send_signal(number)
        self.shell.communicate(timeout=60)
        return self.shell.returncode, len(self.log.read_text().splitlines())


@pytest.mark.parametrize(("answers_from", "asked"), [(1, 1), (3, 3), (100, 15)])
def test_a_task_whose_time_is_up_is_requeued_also_by_a_controller_that_is_away_for_a_moment(
    fake: FakeSlurm, tmp_path: Path, answers_from: int, asked: int
) -> None:
    assert Task(fake, tmp_path, answers_from).end_by(signal.SIGUSR1) == (140, asked)


def test_a_task_that_is_told_to_end_is_not_requeued_by_its_script(fake: FakeSlurm, tmp_path: Path) -> None:
    assert Task(fake, tmp_path, answers_from=1).end_by(signal.SIGTERM) == (143, 0)
