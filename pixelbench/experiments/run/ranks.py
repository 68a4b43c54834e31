"""The processes of one command that share the batches of each run: the first executes the runs, the others take part when it calls them.

A call is a line of JSON in the store that torch's processes meet at, so that a process that waits for the next one still heeds its signals.
What is computed together goes by `pixelbench.training.world`. Only the first process writes.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from pixelbench import pulse
from pixelbench.data import TaskData, get_task
from pixelbench.errors import UserError, first_line
from pixelbench.experiments import stages
from pixelbench.experiments.run.execute import execute
from pixelbench.models.base import AutoregressiveModel
from pixelbench.store.record import Status
from pixelbench.store.spec import RunSpec
from pixelbench.training.world import PeerFailed, PeerLost, Processes, process_group

_POLL_SECONDS = 0.05
_SIGNAL = "signal"


class Ranks:
    """The processes that the environment tells of (`torchrun`, `--gpus-per-run`), seen from one of them.

    Attributes:
        rank, size: the number of this process, and how many there are.
    """

    def __init__(self) -> None:
        """Meet the others.

        Raises:
            UserError: the store of the processes cannot be reached.
        """
        try:
            self._store, self.rank, self.size = next(iter(rendezvous("env://")))
        except (RuntimeError, ValueError) as fault:
            raise UserError(f"The processes of the command cannot meet: {first_line(fault)}.") from fault
        self._local = int(os.environ.get("LOCAL_RANK", self.rank))
        self._world: Processes | None = None
        self._called = 0

    def own(self, device: str) -> str:
        """The device of this process: of several on CUDA, each has its own."""
        return f"cuda:{self._local}" if device.startswith("cuda") else device

    def train(self, spec: RunSpec, device: str, micro_batch: int | None) -> Processes:
        """Call the others to the training of a run."""
        self._call({"do": "train", "spec": spec.to_json(), "device": device.partition(":")[0], "micro_batch": micro_batch})
        return self._joined(device)

    def score(self) -> Processes:
        """Call the others to score the images of the run that was trained last."""
        self._call({"do": "score"})
        assert self._world is not None, "what was trained together has a process group"
        return self._world

    def dismiss(self) -> None:
        """Tell the others that nothing follows."""
        with contextlib.suppress(RuntimeError):  # whoever keeps the store is gone, and so are they
            self._call({"do": "end"})

    def stopped_by(self) -> str | None:
        """The signal that another process was sent, by name."""
        return self._store.get(_SIGNAL).decode() if self._store.check([_SIGNAL]) else None

    def stop_all(self, name: str) -> None:
        """Let the first process end the command as the signal of that name would."""
        self._store.set(_SIGNAL, name)

    def follow(self) -> int:
        """Take part in what the first process calls for, to its end; returns the exit code."""
        heed = _Signals(self)
        trained: tuple[AutoregressiveModel, TaskData, RunSpec] | None = None
        for call in self._calls():
            try:
                if call["do"] == "train":
                    trained = None  # its memory is needed
                    trained = self._take_part(call, heed)
                elif trained is not None and self._world is not None:
                    stages.likelihoods(*trained, self._world)
            except PeerFailed:  # the first process knows, and goes on with the next run
                continue
            except PeerLost as lost:
                return _say(self.rank, lost)
            except Exception as fault:  # the others have been told
                _say(self.rank, fault)
        return 0

    def _take_part(self, call: dict[str, Any], heed: "_Signals") -> tuple[AutoregressiveModel, TaskData, RunSpec]:
        spec, device = RunSpec.from_json(call["spec"]), self.own(call["device"])
        world = self._joined(device)
        with world.together():
            task = get_task(spec.task["name"]).with_split(spec.split)
            if task.digest != spec.task["digest"]:
                raise UserError(f"Task '{task.name}' has another digest here than in process 0.")
            data = task.in_units(stages.limited(task.load(), spec))
            trainer = stages.trainer(
                stages.build(spec).to(device),
                data,
                spec,
                redrawn=task.redrawn,
                micro_batch=call["micro_batch"],
                accepts=lambda identity: True,  # what process 0 goes on from, it has looked at
                stop=heed.stop,
                world=world,
            )
        for _ in trainer.run():
            pass
        return trainer.evaluated, data, spec

    def _joined(self, device: str) -> Processes:
        if self._world is None:
            self._world = process_group(self._store, self.rank, self.size, device)
        return self._world

    def _call(self, what: dict[str, Any]) -> None:
        self._store.set(f"call/{self._called}", json.dumps(what))
        self._called += 1

    def _calls(self) -> Iterator[dict[str, Any]]:
        """What the first process calls for, one after another; ends with it."""
        while True:
            try:
                while not self._store.check([f"call/{self._called}"]):
                    time.sleep(_POLL_SECONDS)
                call = json.loads(self._store.get(f"call/{self._called}"))
            except dist.DistError:  # the store's process is no more
                return
            self._called += 1
            if call["do"] == "end":
                return
            yield call


class _Signals:
    """Signals to a process that is not the first: it passes them on, and the first decides."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks, self._stopped = ranks, False
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, it reaches the first as well
        signal.signal(signal.SIGUSR1, lambda number, frame: pulse.ask_for_checkpoint())
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._pass_on)

    def stop(self) -> bool:
        return self._stopped

    def _pass_on(self, number: int, frame: object) -> None:
        self._stopped = True
        self._ranks.stop_all(signal.Signals(number).name)


_ranks: Ranks | None = None


def meet() -> Ranks:
    """The processes of this one; they meet once."""
    global _ranks
    _ranks = _ranks or Ranks()
    return _ranks


def lead(spec: RunSpec, folder: Path, *, stop: Callable[[], bool | str], **options: Any) -> Status:
    """`execute` by all processes, called in the first; where another one was stopped or lost, the whole command is."""
    ranks = meet()
    status = execute(spec, folder, stop=lambda: stop() or ranks.stopped_by() or False, ranks=ranks, **options)
    if name := ranks.stopped_by():
        os.kill(os.getpid(), signal.Signals[name])
    return status


def _say(rank: int, fault: Exception) -> int:
    sys.stderr.write(f"Process {rank}: {type(fault).__name__}: {first_line(fault)}\n")
    return 1
