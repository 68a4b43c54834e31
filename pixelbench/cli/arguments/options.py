"""Options that several commands share, so that they read and mean the same everywhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from pixelbench.cli.arguments import completing
from pixelbench.cli.tracking import Tool
from pixelbench.errors import UserError


class Rerun(StrEnum):
    """Runs that are executed although the store has a record of them; missing ones always are."""

    missing = "missing"
    failed = "failed"
    stale = "stale"
    all = "all"


class Compile(StrEnum):
    """Whether the loss of training goes through `torch.compile`."""

    auto = "auto"
    off = "off"
    on = "on"


class Launcher(StrEnum):
    """Where runs are executed."""

    local = "local"
    slurm = "slurm"


SuiteArgument = Annotated[
    str | None,
    typer.Argument(metavar="SUITE", help="The suite, instead of by --suite.", autocompletion=completing.suites, show_default=False),
]
SuiteOption = Annotated[
    str | None,
    typer.Option(
        "--suite", "-s", help="A suite that ships (`pixelbench list suites`) or a path to a TOML file.", autocompletion=completing.suites
    ),
]
SuiteFilter = Annotated[
    str | None,
    typer.Option("--suite", "-s", help="Only the runs that this suite asks for: a name or a path.", autocompletion=completing.suites),
]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="The first digits of a run key, or task/variant; see `pixelbench status`.", autocompletion=completing.runs
    ),
]
ResultsOption = Annotated[Path, typer.Option("--results", help="The folder that runs are stored in.", metavar="DIR")]
OnlyOption = Annotated[
    list[str] | None, typer.Option("--only", help="Only cells whose task/variant, or variant, matches; may be given again.", metavar="GLOB")
]
SeedsOption = Annotated[str | None, typer.Option("--seeds", help="Seeds instead of the suite's: 0-2, or 0,3.", metavar="SEEDS")]
BudgetOption = Annotated[str | None, typer.Option("--budget", help="A budget of the suite instead of its default.", metavar="NAME")]
RerunOption = Annotated[
    Rerun,
    typer.Option("--rerun", help="Runs to execute: missing ones, and again those that failed, that are stale (of other code), or all."),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most N images of each split; such runs have keys of their own.", metavar="N")
]
ProveOption = Annotated[
    int | None,
    typer.Option(
        "--prove", min=1, help="Afterwards codes N test images of each run into bytes and back, and keeps the proof.", metavar="N"
    ),
]
ShardOption = Annotated[
    str | None, typer.Option("--shard", help="Every N-th run, from the I-th: the share of one of N machines.", metavar="I/N")
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
PrecisionOption = Annotated[str, typer.Option("--precision", help="auto, fp32 or bf16; auto is bf16 on CUDA and fp32 elsewhere.")]
MaxSecondsOption = Annotated[float | None, typer.Option("--max-seconds", min=0.001, help="Cap on the training of each run.", metavar="S")]
MicroBatchOption = Annotated[
    int | None,
    typer.Option("--micro-batch", min=1, help="At most N images of a batch at once in training; no part of a run's key.", metavar="N"),
]
WorkersOption = Annotated[
    str | None,
    typer.Option(
        "--workers",
        help="Worker processes, by default one per core; 0 works in this process; auto measures which number is fastest.",
        metavar="N|auto",
    ),
]
CompileOption = Annotated[
    Compile, typer.Option("--compile", help="Training through torch.compile: on, off, or auto, where it is measured to pay.")
]
SampleBatchOption = Annotated[
    str | None, typer.Option("--sample-batch", help="Draws at most N images at once; auto: as many as memory holds.", metavar="N|auto")
]
PatienceOption = Annotated[
    float | None,
    typer.Option(
        "--patience", min=0, help="Waits at most S seconds for runs that other processes execute; by default to their end.", metavar="S"
    ),
]
LauncherOption = Annotated[Launcher, typer.Option("--launcher", help="local: here; slurm: an array of jobs, see the page on clusters.")]
PartitionOption = Annotated[str | None, typer.Option("--partition", help="Slurm: where the jobs run.", metavar="NAME")]
GpusPerRunOption = Annotated[
    int | None,
    typer.Option(
        "--gpus-per-run", min=1, help="GPUs that share the batches of each run, or of a job; no part of a run's key.", metavar="N"
    ),
]
TimeOption = Annotated[
    str | None, typer.Option("--time", help="Slurm: a job's time limit, such as 12:00:00; one that reaches it is requeued.", metavar="TIME")
]
ParallelismOption = Annotated[int | None, typer.Option("--array-parallelism", min=1, help="Slurm: at most N jobs at once.", metavar="N")]
RunsPerTaskOption = Annotated[
    int | None,
    typer.Option(
        "--runs-per-task", min=1, help="Slurm: runs per job; by default one, or several small ones whose time is known.", metavar="N"
    ),
]
SlurmOption = Annotated[
    list[str] | None, typer.Option("--slurm", help="Slurm: a further option of sbatch; may be given again.", metavar="KEY=VALUE")
]
DetachOption = Annotated[bool, typer.Option("--detach", help="Slurm: submits the jobs and returns at once.")]
WatchOption = Annotated[bool, typer.Option("--watch", help="Shows the runs under way, on standard error, until all have ended.")]
FailFastOption = Annotated[bool, typer.Option("--fail-fast", help="Stops all after the first run that fails.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Shows the plan and executes nothing.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="The folder of data sets; else $PIXELBENCH_DATA, else the user's cache.", metavar="DIR")
]
NoFetchOption = Annotated[
    bool, typer.Option("--no-fetch", help="Downloads and prepares no images; runs whose images are missing are left out.")
]
AllowOverlapOption = Annotated[
    bool, typer.Option("--allow-overlap", help="Takes image folders with images that are in two splits; every report says so.")
]
PagesOption = Annotated[
    bool,
    typer.Option(
        " /--no-report", help="Leaves report.md and report.html as they are; for one of many commands on a folder.", show_default=False
    ),
]
LogOption = Annotated[
    Tool | None, typer.Option("--log", help="Curves and results to a tracking tool as well: tensorboard, wandb, mlflow or csv.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, and nothing else there.")]

DEFAULT_RESULTS = Path("runs")
#: Of processes and of images at once, the most that can be meant.
_MOST = 10**6
#: A record keeps whole numbers of 63 bits.
_MOST_SEED = 2**63 - 1


def suite_named(argument: str | None, option: str | None, command: str) -> str:
    """The suite, by position or by --suite.

    Raises:
        UserError: neither is given, or both.
    """
    if argument is not None and option is not None:
        raise UserError(f"The suite is given twice, '{argument}' and --suite '{option}'; leave one of the two out.")
    named = argument if argument is not None else option
    if named is None:
        raise UserError(f"Say which suite, such as `pixelbench {command} quick`; `pixelbench list suites` names them.")
    return named


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """`2/3` → (2, 3); None stays None.

    Raises:
        UserError: anything else; whether i is in range, the plan says.
    """
    if text is None:
        return None
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise UserError(f"A shard is two whole numbers such as 1/3, the first of three machines; got '{text}'.")
    return int(index), int(count)


def parse_workers(text: str | None) -> "int | Literal['auto'] | None":
    """`4` → 4, `auto` and None stay.

    Raises:
        UserError: anything else.
    """
    if text is None or text == "auto":
        return text
    if not text.isdecimal() or int(text) > _MOST:
        raise UserError(f"--workers is a number of processes from 0 up, or auto; got '{text}'.")
    return int(text)


def parse_sample_batch(text: str | None) -> int | None:
    """`64` → 64, `auto` → 0, None stays None.

    Raises:
        UserError: anything else.
    """
    if text is None or text == "auto":
        return None if text is None else 0
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise UserError(f"--sample-batch is a number of images from 1 up, or auto; got '{text}'.")
    return int(text)


def parse_seeds(text: str | None) -> list[int] | None:
    """`0-2` → [0, 1, 2]; `0,3` → [0, 3]; both can be mixed; None stays None.

    Raises:
        UserError: anything else, a seed of more than 63 bits, or more of them than a suite may have.
    """
    if text is None:
        return None
    from pixelbench.suites.schema import MOST_SEEDS

    ends = [_seed_range(part.strip(), text) for part in text.split(",")]
    if sum(last - first + 1 for first, last in ends) > MOST_SEEDS:
        raise UserError(f"At most {MOST_SEEDS:,} seeds can be asked for at once; got '{text}'.")
    return sorted({seed for first, last in ends for seed in range(first, last + 1)})


def check_seed(seed: int) -> int:
    """A seed as it is, as a callback of options that take one.

    Raises:
        UserError: it has more than 63 bits.
    """
    if seed > _MOST_SEED:
        raise UserError(f"Seeds are whole numbers below 2^63; got '{seed}'.")
    return seed


def check_place(path: Path, called: str) -> None:
    """Whether a file can be written there, before anything is computed that takes long; `called`: the option that names it.

    Raises:
        UserError: it is a folder, or in one that does not exist.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise UserError(f"{called} '{path}' must be a file in a folder that exists.")


def _seed_range(part: str, text: str) -> tuple[int, int]:
    """First and last seed of `3` or `0-2`."""
    first, dash, last = part.partition("-")
    last = last if dash else first
    if not (first.isdecimal() and last.isdecimal()):
        raise UserError(f"Seeds are whole numbers from 0 up such as 0-2 or 0,3; got '{text}'.")
    if max(len(first), len(last)) > len(str(_MOST_SEED)) or max(int(first), int(last)) > _MOST_SEED:
        raise UserError(f"Seeds are whole numbers below 2^63; got '{text}'.")
    if int(last) < int(first):
        raise UserError(f"Seeds are whole numbers from 0 up such as 0-2 or 0,3; got '{text}'.")
    return int(first), int(last)
