"""`--launcher slurm`: its options and whether they can be, the submission of a plan, and its live table."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pixelbench.cli.arguments.options import Launcher, Rerun
from pixelbench.cli.output import FINE, INTERRUPTED, WRONG_USE, duration, print_json, say
from pixelbench.errors import UserError, shortened

if TYPE_CHECKING:
    from pixelbench.analysis.context import Context
    from pixelbench.cli.execution import Execution, Show
    from pixelbench.cli.suites import PlanOptions
    from pixelbench.experiments.cluster.array import Array
    from pixelbench.experiments.cluster.submission import JobOptions, Submission
    from pixelbench.experiments.plan import Plan
    from pixelbench.experiments.run.outcome import Outcome

#: A task waits so long for a run that another process executes: longer than a file server keeps the locks of a node that died.
PATIENCE = 300
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
#: What the launcher sets itself, or what would break it → what to use instead, where there is something.
_OURS = dict.fromkeys(("requeue", "no-requeue", "signal", "output", "error", "open-mode", "wrap", "parsable", "test-only", "wait"), "") | {
    "partition": "--partition",
    "time": "--time",
    "array": "--array-parallelism",
    "job-name": "",
}


@dataclass(frozen=True)
class ClusterOptions:
    """The options of `run` and `plan` that are for a cluster, as they were given."""

    partition: str | None = None
    gpus_per_run: int | None = None
    time: str | None = None
    array_parallelism: int | None = None
    runs_per_task: int | None = None
    slurm: Sequence[str] | None = None
    detach: bool = False

    def check(self, launcher: Launcher) -> None:
        """Raise where one is given without Slurm, or cannot be."""
        given = [f"--{field.name.replace('_', '-')}" for field in fields(self) if getattr(self, field.name)]
        if launcher is Launcher.local and given:
            raise UserError(f"{given[0]} is for --launcher slurm; without it runs are executed on this machine.")
        self.job_options()

    def job_options(self) -> "JobOptions":
        """The options of a job; raises a sentence where one cannot be."""
        from pixelbench.experiments.cluster.array import seconds_of
        from pixelbench.experiments.cluster.submission import JobOptions

        seconds = None if self.time is None else seconds_of(self.time)
        more = tuple(_sbatch_option(text) for text in self.slurm or ())
        return JobOptions(self.partition, self.gpus_per_run, self.time, seconds, self.array_parallelism, more)

    @property
    def several_gpus(self) -> bool:
        """The command shares out each run itself."""
        return self.gpus_per_run is not None and self.gpus_per_run > 1

    @property
    def device(self) -> str:
        """Of the jobs: this machine may have none like it."""
        return "cuda" if self.gpus_per_run else "cpu"


@dataclass(frozen=True)
class Requested:
    """What `run` was given, for the command of each task of an array."""

    suite: str
    results: Path
    plan: "PlanOptions"
    how: "Execution"
    data: Path | None
    prove: int | None
    allow_overlap: bool

    def command(self, cluster: ClusterOptions) -> list[str]:
        """`python -m pixelbench run …` with absolute paths, for any node."""
        from pixelbench.suites.load import is_path

        plan, how, workers = self.plan, self.how, 1 if self.how.workers is None else self.how.workers
        suite = str(Path(self.suite).absolute()) if is_path(self.suite) else self.suite
        values: dict[str, Any] = {
            "--suite": suite,
            "--results": self.results.absolute(),
            "--data": self.data and self.data.absolute(),
            "--seeds": plan.seeds,
            "--budget": plan.budget,
            "--rerun": plan.rerun.value,
            "--limit": plan.limit,
            "--precision": plan.precision,
            "--device": cluster.device,
            **({"--gpus-per-run": cluster.gpus_per_run} if cluster.several_gpus else {"--workers": workers}),
            "--max-seconds": how.max_seconds,
            "--micro-batch": how.micro_batch,
            "--compile": how.compile,
            "--sample-batch": "auto" if how.sample_batch == 0 else how.sample_batch,
            "--prove": self.prove,
            "--log": how.log and how.log.value,
            "--patience": PATIENCE if how.patience is None else how.patience,
        }
        switches = {"--fail-fast": how.fail_fast, "--allow-overlap": self.allow_overlap, "--no-report": True, "--no-fetch": True}
        return [
            *(sys.executable, "-m", "pixelbench", "run"),
            *(f"{name}={value}" for name, value in values.items() if value is not None),
            *(f"--only={pattern}" for pattern in plan.only or ()),
            *(name for name, on in switches.items() if on),
        ]


def planned_for(options: "PlanOptions", cluster: ClusterOptions, workers: "int | Literal['auto'] | None" = None) -> "PlanOptions":
    """The options of a plan that a cluster's nodes will execute; raises a sentence for what does not go together."""
    if options.shard is not None:
        raise UserError("--shard is what --launcher slurm gives to each of its tasks; leave it out.")
    if options.rerun is Rerun.all:
        raise UserError("--rerun all would execute a run again whenever its job is requeued; use it without --launcher slurm.")
    if workers is not None and cluster.several_gpus:
        raise UserError(f"--workers executes several runs at once, and {cluster.gpus_per_run} GPUs share each run here; leave it out.")
    if options.device not in ("auto", cluster.device):
        hint = "add --gpus-per-run 1" if cluster.device == "cpu" else "leave out --gpus-per-run"
        raise UserError(f"--device {options.device} is not what these jobs have; {hint}, or leave out --device.")
    return replace(options, device=cluster.device, elsewhere=True)


def check_cluster(results: Path, cluster: ClusterOptions) -> None:
    """Raise where jobs cannot be submitted from here, cannot have what they ask for, or would not share the results folder."""
    from pixelbench.experiments.cluster import slurm
    from pixelbench.files.mounts import locks_stay, not_shared

    slurm.require_slurm()
    names = next((text.partition("=")[2] for text in cluster.job_options().more if text.startswith(("--nodelist=", "-w="))), None)
    nodes = slurm.nodes(cluster.partition, names)
    where = f"partition '{cluster.partition}'" if cluster.partition else "the default partition"
    if cluster.gpus_per_run and nodes and not any(node.gpus for node in nodes):
        raise UserError(f"No node of {where} has GPUs that Slurm knows of; leave out --gpus-per-run, or choose another --partition.")
    if len({node.name for node in nodes}) < 2:
        return
    if said := not_shared(results):
        raise UserError(f"Results folder '{results}' is not there for the nodes of {where}: {said}; choose another with --results DIR.")
    if said := locks_stay(results):
        raise UserError(f"Two nodes could execute one run in results folder '{results}': {said}; choose another with --results DIR.")


def array_of(plan: "Plan", cluster: ClusterOptions, most_tasks: int | None = None) -> "Array":
    """The plan's tasks."""
    from pixelbench.experiments.cluster.array import make_array

    return make_array(plan, runs_per_task=cluster.runs_per_task, most_tasks=most_tasks)


def array_sentence(array: "Array", cluster: ClusterOptions) -> str:
    """`12 jobs on cpu, of 1 run each; the longest takes about 3.2 hours, all of them 38 hours`."""
    counts = [len(cells) for cells in array.tasks.values()]
    if not counts:
        return "No jobs: nothing is left to execute."
    runs = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    gpus = f", with {cluster.gpus_per_run} GPU{'s' if cluster.gpus_per_run > 1 else ''} each" if cluster.gpus_per_run else ""
    said = f"{len(counts)} job{'s' if len(counts) > 1 else ''} of {runs} run{'s' if max(counts) > 1 else ''}{gpus}"
    known = [length for length in array.lengths if length is not None]
    if not known:
        return f"{said}; how long they take is unknown."
    of = "" if len(known) == len(counts) else f" of the {len(known)} that something is known of"
    said += f"; the longest{of} takes about {duration(max(known))}, all{of} {duration(sum(known))}"
    seconds = cluster.job_options().seconds
    if seconds is not None and max(known) > seconds:
        said += f", so that it is requeued about {int(max(known) // seconds)} times at --time {cluster.time}"
    return f"{said}."


def submit_plan(plan: "Plan", requested: Requested, cluster: ClusterOptions) -> "Submission":
    """Submit what is due, after all checks; says what was submitted and how to look at it and to end it."""
    from pixelbench.experiments.cluster import slurm
    from pixelbench.experiments.cluster.submission import submit_array
    from pixelbench.files.locks import probe_locks
    from pixelbench.files.writable import ensure_writable

    ensure_writable(plan.store, 1 << 20, [cell.folder for cell in plan.to_run])
    probe_locks(plan.store)
    array = array_of(plan, cluster, slurm.most_tasks())
    submission = submit_array(plan.store.absolute(), plan.suite, array, requested.command(cluster), cluster.job_options())
    say(f"Submitted array {submission.job}: {array_sentence(array, cluster)}")
    say(f"Look at it with `pixelbench status --watch --results {plan.store}`, end it with `{submission.cancel}`.")
    return submission


def watched(plan: "Plan", submission: "Submission") -> "Outcome":
    """Show the array until its end; how the plan's runs ended. Ctrl-C ends the looking only."""
    from pixelbench.cli.cluster.watching import watch
    from pixelbench.experiments.cluster.live import outcome_of

    try:
        watch(plan.store, jobs={submission.job})
    except KeyboardInterrupt:
        say(f"The array goes on without this command; end it with `{submission.cancel}`.")
        raise SystemExit(INTERRUPTED) from None
    return outcome_of(plan)


def launch(plan: "Plan", requested: Requested, cluster: ClusterOptions, show: "Show", *, as_json: bool, context: "Context") -> int:
    """Submit the plan; then show its array until its end and report its runs, unless it is to be left alone. Returns the exit code.

    Arguments as of `pixelbench.cli.execution.execute`.
    """
    from pixelbench.cli.execution import can_begin, conclude
    from pixelbench.cli.suites import plan_json

    if not can_begin(plan, as_json=as_json):
        return WRONG_USE
    if not plan.to_run:
        return conclude(plan, None, show, as_json=as_json, context=context, pages=requested.how.pages)
    submission = submit_plan(plan, requested, cluster)
    if cluster.detach:
        if as_json:
            print_json(
                {**plan_json(plan), "jobs": {"array": submission.job, "cancel": submission.cancel, "sbatch": list(submission.sbatch)}}
            )
        return FINE
    return conclude(plan, watched(plan, submission), show, as_json=as_json, context=context, pages=requested.how.pages)


def show_plan(plan: "Plan", cluster: ClusterOptions | None, *, as_json: bool) -> None:
    """Print a plan, and its jobs where it is for a cluster."""
    from pixelbench.cli.suites import plan_json, print_plan

    array = None if cluster is None else array_of(plan, cluster)
    if as_json:
        jobs = {} if array is None else {"jobs": {"tasks": array.indices, "shards": array.shards, "estimated_seconds": array.lengths}}
        print_json({**plan_json(plan), **jobs})
        return
    print_plan(plan)
    if array is not None and cluster is not None:
        say(array_sentence(array, cluster))


def _sbatch_option(text: str) -> str:
    """`account=mine` → `--account=mine`; `exclusive` → `--exclusive`."""
    key, equals, value = text.partition("=")
    name = key.lstrip("-")
    if not _KEY.fullmatch(name) or not text.isprintable():
        raise UserError(f"--slurm takes an option of sbatch such as account=mine; got '{shortened(text)}'.")
    if name in _OURS:
        raise UserError(f"--slurm {name} is what --launcher slurm sets itself{f'; use {_OURS[name]}' if _OURS[name] else ''}.")
    dashes = "-" if len(name) == 1 else "--"
    return f"{dashes}{name}{equals if len(name) > 1 else ''}{value}"
