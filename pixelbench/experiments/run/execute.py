"""One run from what was asked for to its record, whatever its end."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pixelbench.experiments.run.failure import DIED, death, is_out_of_memory, is_storage, raised
from pixelbench.experiments.run.in_progress import Emit, RunInProgress, RunOptions, StoppedError
from pixelbench.store.artifacts import ALWAYS_KEPT
from pixelbench.store.record import Request, RunError, Status
from pixelbench.store.spec import RunSpec
from pixelbench.training.compilers import Compile
from pixelbench.training.world import PeerLost

if TYPE_CHECKING:
    from pixelbench.experiments.run.ranks import Ranks


def execute(
    spec: RunSpec,
    folder: Path,
    *,
    device: str = "cpu",
    max_seconds: float | None = None,
    micro_batch: int | None = None,
    compile: Compile = "off",
    sample_batch: int | None = None,
    store: Path | None = None,
    request: Request | None = None,
    most_weights: int = ALWAYS_KEPT,
    stop: Callable[[], bool | str] = lambda: False,
    emit: Emit = lambda event: None,
    ranks: "Ranks | None" = None,
) -> Status:
    """Does one run and writes its artifacts, then its record; goes on from the checkpoint of an attempt that was cut off.

    Args:
        spec: what was asked for.
        folder: the run's folder in the store; the caller holds the run's lock.
        device: `cpu`, `cuda` or `cuda:N`.
        max_seconds: cap on this attempt's training; the run then ends as `timeout` and keeps its checkpoint.
        micro_batch: at most so many images of a batch at once, in training.
        compile: whether the training's loss goes through `torch.compile`; `auto` where it is measured to pay.
        sample_batch: at most so many images are drawn at once; None draws all, 0 as many as memory holds.
        store: where certificates of narrow copies and fingerprints of the code are kept for other runs; None keeps none.
        request: the command that asks for it, for the record.
        most_weights: weights of at most so many bytes become an artifact; larger ones stay in `work`.
        stop: asked between updates and between stages; True ends the run as `interrupted`, and a text says by what.
        emit: takes progress events, see `RunInProgress`.
        ranks: the processes that train and score it together, of which this is the first; None where it is the only one.

    Returns:
        The record's status: done, failed, diverged, timeout or interrupted. A failing run is a record, not an exception.

    Raises:
        OSError: the store cannot be written; nothing says that the run has failed, and its last checkpoint stays.
    """
    options = RunOptions(device, max_seconds, micro_batch, compile, sample_batch, store, request, most_weights)
    run = RunInProgress(spec, folder, options, stop, emit, ranks)
    status: Status
    try:
        run.go()
        status, error = "done", None
    except StoppedError as ended:
        status, error = ended.status, ended.error
    except PeerLost as lost:
        status, error = death(folder, RunError(DIED, str(lost)), run.resumption.saved)
        if ranks is not None:
            ranks.stop_all("SIGTERM")
    except Exception as fault:  # whatever a network or a driver throws is the outcome of this run, not of the suite
        if is_storage(fault):
            raise
        status, error = run.out_of_memory(fault) if is_out_of_memory(fault) else ("failed", raised(fault))
    run.finish(status, error)
    return status
