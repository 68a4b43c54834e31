"""`pixelbench eval TARGET|RUN`."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments import completing
from pixelbench.cli.arguments.given_model import (
    ConditionOption,
    InputOption,
    ModuleHeadOption,
    OrderFileOption,
    ReadingOptions,
    TaskOption,
    WeightsOption,
    names_model,
    of_task,
    refuse_beside_run,
)
from pixelbench.cli.arguments.options import DEFAULT_RESULTS, DataOption, DeviceOption, JsonOption, ResultsOption, check_place, check_seed
from pixelbench.cli.commands.check import ArgOption, Input, InputLayoutOption, OutputOption, SelectOption, SetOption
from pixelbench.cli.output import FAILED, FINE, print_json, say, stdout
from pixelbench.errors import UserError
from pixelbench.importing import split_target

if TYPE_CHECKING:
    from pixelbench.experiments.evaluating.evaluate import ModelEvaluation
    from pixelbench.models.base import AutoregressiveModel
    from pixelbench.suites.schema import Claim

_EXAMPLES = """Example: pixelbench eval my_net.py:make --task mnist-fixed --weights best.safetensors --head bernoulli

Example: pixelbench eval my_net.py:make --task mnist-fixed --weights best.pt --claim 81.2 --unit nats --source "my paper, Table 2"

Example: pixelbench eval mnist-fixed/fvsbn --results results"""

_UNITS = {"nats": "nats/image", "nats/image": "nats/image", "bits": "bits/dim", "bits/dim": "bits/dim"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="eval", epilog=_EXAMPLES)(evaluate)


def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET|RUN",
            help="path/file.py:name or package.module:name, a family, or a stored run (key or task/variant).",
            autocompletion=completing.targets,
        ),
    ],
    task: TaskOption = None,
    weights: WeightsOption = None,
    settings: SetOption = None,
    head: ModuleHeadOption = None,
    input: InputOption = Input.auto,
    output: OutputOption = None,
    select: SelectOption = None,
    input_layout: InputLayoutOption = None,
    args: ArgOption = None,
    order: OrderFileOption = None,
    condition: ConditionOption = None,
    sampler: Annotated[
        str | None, typer.Option("--sampler", metavar="NAME", help="The module's method that draws images: tested first, used if right.")
    ] = None,
    claim: Annotated[str | None, typer.Option("--claim", metavar="NUMBER", help="What is claimed for it, as printed: 81.20.")] = None,
    unit: Annotated[str, typer.Option("--unit", metavar="nats|bits", help="Unit of the claim: nats an image, or bits/dim.")] = "bits",
    source: Annotated[str, typer.Option("--source", metavar="TEXT", help="Where the claim stands.")] = "the claim",
    limit: Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="At most N test images; no result, but quick.")] = None,
    samples: Annotated[int, typer.Option("--samples", min=0, max=1024, metavar="N", help="Images that are drawn; 0 draws none.")] = 16,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1.0, metavar="S", help="Time for the certificate, which says how much of it was checked.")
    ] = 60.0,
    out: Annotated[Path | None, typer.Option("--out", metavar="PNG", help="The picture of real images beside samples.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, callback=check_seed, help="Seed of what is drawn.")] = 0,
    store: Annotated[bool, typer.Option("--store", help="Keeps the result in the results folder, marked as not trained here.")] = False,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Its name in the results folder; by default the factory's.")
    ] = None,
    device: DeviceOption = "cpu",
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a model that is trained already: its test likelihood, causality, samples, and where it stands."""
    from pixelbench.data.folder import use_data_folder
    from pixelbench.experiments.devices import resolve_device

    use_data_folder(data)
    if out is not None:
        check_place(out, "--out")
    if out is not None and samples == 0:
        raise UserError("--samples 0 draws nothing for --out to show.")
    if name is not None and not store:
        raise UserError("--name is for --store, which keeps the result under it; give both.")
    requested = _claim(claim, unit, source)
    chosen = resolve_device(device)
    reading = ReadingOptions(head, input, output, select, input_layout, args, order, condition, sampler)
    found = _found(target, task, weights, settings, reading, results)
    if store and not found.keepable:
        raise UserError("--store keeps modules of your own with --weights; what PixelBench trains is kept by `pixelbench run`.")
    if store:
        _check_kept(found, name, samples)
    evaluation = _evaluated(found, chosen, limit, samples, seconds, seed, results, requested, announce=not as_json)
    if out is not None and evaluation.picture is not None:
        from pixelbench.files.atomic import write_bytes

        write_bytes(out, evaluation.picture)
    if store:
        _keep(found, evaluation, name, results)
    if as_json:
        print_json(evaluation.to_json())
    else:
        stdout().print(evaluation.summary(), markup=False)
    raise typer.Exit(FAILED if evaluation.leaky else FINE)


@dataclass(frozen=True)
class _Found:
    """A model, the task that it is scored on, and what it is called."""

    model: "AutoregressiveModel"
    task: str
    name: str
    settings: dict[str, Any]
    weights: str | None
    importance_samples: int = 1
    """Of a stored run, by which it was scored."""

    @property
    def keepable(self) -> bool:
        """Whether it is a module of somebody's whose weights are known."""
        return ":" in self.name and self.weights is not None


def _found(
    target: str, task: str | None, weights: Path | None, settings: list[str] | None, reading: ReadingOptions, results: Path
) -> _Found:
    if names_model(target):
        return _target(target, task, weights, settings, reading)
    refuse_beside_run(target, task, weights=weights, settings=settings, reading=reading)
    return _run(target, results)


def _target(target: str, task: str | None, weights: Path | None, settings: list[str] | None, reading: ReadingOptions) -> _Found:
    from pixelbench.models.families import get_family

    given = of_task(target, task, weights=weights, settings=settings, reading=reading)
    assert task is not None
    model, digest = given.load_with_digest()
    if weights is None and get_family(given.target).kind == "network":
        say(f"No --weights: {given.target} is scored as it is made, untrained unless it loads its own weights.")
    return _Found(model, task, given.target, given.settings, digest)


def _run(name: str, results: Path) -> _Found:
    from pixelbench.cli.stored_runs import advising, find_run
    from pixelbench.experiments.stored import load_run

    run = find_run(results, name)
    with advising(run, results):
        model = load_run(run.stored)
    draws = run.record.evaluation.importance_samples
    return _Found(model, run.task, f"{run.variant} (run {run.key})", run.record.variant.settings, None, draws)


def _check_kept(found: _Found, name: str | None, samples: int) -> None:
    """Refuse what could not be kept, before it takes time."""
    from pixelbench.experiments.evaluating.keep import check_name

    check_name(_called(found, name))
    if found.model.factorised and not samples:
        raise UserError("--store keeps an evaluation with its samples, and --samples 0 draws none.")


def _called(found: _Found, name: str | None) -> str:
    """In the results folder."""
    return name or split_target(found.name)[1]


def _keep(found: _Found, evaluation: "ModelEvaluation", name: str | None, results: Path) -> None:
    from pixelbench.experiments.evaluating.keep import keep
    from pixelbench.files.writable import ensure_writable

    ensure_writable(results, 1 << 20)
    say(f"Kept: {keep(evaluation, found.model, found.name, found.settings, _called(found, name), results)}")


def _evaluated(
    found: _Found,
    device: str,
    limit: int | None,
    samples: int,
    seconds: float,
    seed: int,
    results: Path,
    claim: "Claim | None",
    *,
    announce: bool,
) -> "ModelEvaluation":
    from pixelbench.experiments.evaluating.evaluate import evaluate_model

    return evaluate_model(
        found.model.to(device),
        found.task,
        name=found.name,
        settings=found.settings,
        limit=limit,
        samples=samples,
        check_seconds=seconds,
        seed=seed,
        results=results,
        claim=claim,
        weights=found.weights,
        importance_samples=found.importance_samples,
        progress=(lambda doing: say(f"{doing} …")) if announce else (lambda doing: None),
    )


def _claim(value: str | None, unit: str, source: str) -> "Claim | None":
    from pixelbench.suites.schema import Claim

    if unit not in _UNITS:
        raise UserError(f"--unit must be nats or bits; got '{unit}'.")
    if not source.strip():
        raise UserError("--source says where the claim stands, and is empty.")
    if value is None:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0 or abs(number.adjusted()) > 9:
        raise UserError(f"--claim takes a number as a paper prints it, for example 81.20; got '{value}'.")
    return Claim(task="", variant="", value=float(number), unit=_UNITS[unit], source=source, printed=f"{number:f}")  # type: ignore[arg-type]
