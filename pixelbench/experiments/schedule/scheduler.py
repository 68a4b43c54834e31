"""Execution of a plan: how many workers, of how many threads, and whether it can be. What is finished is kept, whatever happens."""

from collections.abc import Callable
from typing import Literal

from pixelbench.errors import UserError
from pixelbench.experiments.devices import allowed_threads, available_cores, has_bf16
from pixelbench.experiments.plan import Plan
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.experiments.schedule.ending import heeding_signals
from pixelbench.experiments.schedule.job import EXECUTOR, LEADING_EXECUTOR, Resources
from pixelbench.experiments.schedule.loop import OnEvent, Scheduler
from pixelbench.experiments.schedule.measured_workers import MOST_WORKERS, measured_workers
from pixelbench.files.writable import ensure_writable
from pixelbench.models.families import get_family
from pixelbench.training.compilers import Compile, why_not
from pixelbench.training.recipe import Recipe

Workers = int | Literal["auto"] | None

#: A generous guess of what a run leaves: artifacts, weights, and a checkpoint while it trains.
_BYTES_A_RUN, _MOST_BYTES = 2 << 20, 32 << 20


def run_plan(
    plan: Plan,
    *,
    workers: Workers = None,
    device: str = "cpu",
    max_seconds: float | None = None,
    micro_batch: int | None = None,
    world_size: int = 1,
    compile: Compile = "off",
    sample_batch: int | None = None,
    fail_fast: bool = False,
    patience: float | None = None,
    on_event: OnEvent = lambda event: None,
    executor: str = EXECUTOR,
    note: Callable[[str], None] = lambda sentence: None,
) -> Outcome:
    """Execute the runs of the plan that are due. Two processes may do so at once: they share the work.

    Args:
        plan: from `make_plan`.
        workers: processes; 0 works in this one. By default as many as there are cores, cells or 8; one on CUDA. `auto` takes
            those, and so many threads of each, with which a training step was measured to be done most often.
        device: resolved.
        max_seconds: cap on a run's training.
        micro_batch: at most so many images of a batch at once, in training; it must divide every larger batch. No number depends on it, but
            for rounding, so that it is no part of what a run is.
        world_size: processes that share the batches of each run; of several this is the first, and works alone otherwise.
        compile: `on` takes the loss of training through `torch.compile`, `auto` where it is measured to pay. No number depends on it
            either, but for rounding.
        sample_batch: at most so many images are drawn at once; None draws all, 0 as many as memory holds.
        fail_fast: stops the others after the first failed run.
        patience: seconds to wait at most for runs that other processes execute; None waits as long as they take.
        on_event: takes the events of `perform`, and `waiting` (another process executes the run); each with `run` (label) and `key`. `end`
            has `status`, `elsewhere`, and from the record `bits_per_dim`, `estimator`, `causal`, `seconds` and `error` (a sentence), each
            may be None.
        executor: `module:function` that executes a run.
        note: takes a sentence that says what was chosen.

    Raises:
        UserError: the store cannot be written, now or later; a micro-batch that does not fit, or more processes than a batch has images;
            nothing can be compiled here; a CPU without bf16.
    """
    if not plan.to_run:
        return Outcome()
    _check_cuts(plan, micro_batch, world_size)
    _check_compile(compile, device, micro_batch)
    _check_precision(plan, device)
    if world_size > 1:
        workers, executor = 0, LEADING_EXECUTOR
    needed = min(_MOST_BYTES, _BYTES_A_RUN * len(plan.to_run))
    ensure_writable(plan.store, needed, [cell.folder for cell in plan.to_run])
    if workers == "auto" and not device.startswith("cuda"):
        count, threads = measured_workers(plan, note)
    else:
        count, threads = _share_out(None if workers == "auto" else workers, len(plan.cells), device)
    resources = Resources(device, threads, max_seconds, micro_batch, compile, sample_batch)
    scheduler = Scheduler(plan, resources, fail_fast=fail_fast, on_event=on_event, executor=executor, patience=patience)
    with heeding_signals(scheduler.take_signal):
        return scheduler.run(count)


def _share_out(workers: int | None, cells: int, device: str) -> tuple[int, int]:
    """Workers, and threads of each.

    By all cells of the plan, not those still missing: the number of threads decides the last bits of a result, and a command that goes on
    after a kill must end in the same records as an undisturbed one. Never more threads than the user allows all programs: on cores that
    another command uses too, threads that wait for each other make both several times slower.
    """
    if workers is not None and workers < 0:
        raise UserError(f"--workers must be 0 or more, got {workers}.")
    cores = available_cores()
    if workers is None:
        workers = 1 if device.startswith("cuda") else min(cores, cells, MOST_WORKERS)
    return workers, max(1, min(cores // max(1, workers), allowed_threads() or cores))


def _check_compile(compile: Compile, device: str, micro_batch: int | None) -> None:
    """Whether what is asked for can be; `auto` looks by itself."""
    if compile != "on":
        return
    if micro_batch is not None:
        raise UserError("--compile on compiles the loss of a whole batch; leave --micro-batch out, or take --compile auto.")
    if missing := why_not(device):
        raise UserError(f"--compile on needs a compiler: {missing}, or leave --compile out.")


def _check_precision(plan: Plan, device: str) -> None:
    if device != "cpu" or has_bf16():
        return
    for spec in (cell.spec for cell in plan.to_run if cell.spec.recipe.get("precision") == "bf16"):
        slow = "where training in bf16 takes four to five times as long as in fp32"
        raise UserError(f"{spec.label}: this CPU has no bf16 arithmetic (AVX512-BF16 or AMX), {slow}; use --precision fp32.")


def _check_cuts(plan: Plan, most: int | None, world_size: int) -> None:
    """Whether batches can be cut so, before anything is trained, of all runs that are due."""
    for spec in (cell.spec for cell in plan.to_run if cell.spec.recipe):
        settings = get_family(spec.family).parse(spec.settings)
        if incompatibility := Recipe(**spec.recipe).incompatibility(
            micro_batch=most, whole_batch=settings.whole_batch, world_size=world_size
        ):
            raise UserError(f"{spec.label}: {incompatibility}.")
