"""`pixelbench bench FAMILY|SUITE`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelbench.cli.arguments.options import (
    DEFAULT_RESULTS,
    BudgetOption,
    DeviceOption,
    JsonOption,
    OnlyOption,
    PrecisionOption,
    ResultsOption,
)
from pixelbench.cli.output import NOTHING, REGRESSION, print_json, print_table, say, stdout
from pixelbench.errors import UserError, unknown

if TYPE_CHECKING:
    from pixelbench.analysis.speed import Change
    from pixelbench.experiments.bench.subjects import Named
    from pixelbench.store.documents.bench_records import SpeedRecord

_EXAMPLES = """Example: pixelbench bench gated-pixelcnn --set layers=7 --set maps=64 --set head_maps=32 --set head=bernoulli

Example: pixelbench bench quick --only 'digits/*' --seconds 10 --against results/bench"""

#: Bytes that a measurement may need in the results folder.
_BYTES = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(bench)


def bench(
    targets: Annotated[
        list[str], typer.Argument(metavar="FAMILY|SUITE", help="Families, or a suite whose every network is measured; also several.")
    ],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the family; may be given again.")
    ] = None,
    shape: Annotated[
        str | None, typer.Option("--shape", metavar="C,H,W", help="Images of a family; by default 1,28,28. A suite has its own.")
    ] = None,
    levels: Annotated[
        int | None, typer.Option("--levels", min=2, metavar="N", help="Values of a sub-pixel of a family's images; by default 2.")
    ] = None,
    only: OnlyOption = None,
    budget: BudgetOption = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, metavar="N", help="Images of a training step, instead of 64 or the suite's.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, metavar="S", help="Time for each network; there are at least five rounds.")
    ] = 20.0,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="An earlier measurement, or a folder of them, to be held against.")
    ] = None,
    results: ResultsOption = DEFAULT_RESULTS,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast networks train, score and draw on this device, beside what the device can do at most.

    Each is measured in a process of its own, in rounds in which everything is timed by turns, and kept in the results folder under `bench`.
    With --against, exit code 4 where something is slower beyond noise, 3 where nothing comparable was measured before.
    """
    from pixelbench.experiments.devices import resolve_device
    from pixelbench.files.writable import ensure_writable

    chosen = resolve_device(device)
    earlier = None if against is None else _earlier(against)
    subjects = [named for target in targets for named in _subjects(target, settings, shape, levels, only, budget, batch, precision, chosen)]
    ensure_writable(results, _BYTES)
    records = _measured(subjects, chosen, seconds, results)
    found = [] if earlier is None else _changes(earlier, records)
    if as_json:
        print_json({"records": [_document(record) for record in records], "against": [change.as_dict() for change in found]})
    else:
        _print(records, found)
    if earlier is None:
        return
    if not found:
        say(f"Nothing in '{against}' is a measurement of these networks on this device with as many threads; nothing was compared.")
        raise typer.Exit(NOTHING)
    if worse := [change for change in found if change.regression]:
        say(f"{len(worse)} regression{'' if len(worse) == 1 else 's'} beyond noise, against '{against}'.")
        raise typer.Exit(REGRESSION)


def _subjects(
    target: str,
    settings: Sequence[str] | None,
    shape: str | None,
    levels: int | None,
    only: Sequence[str] | None,
    budget: str | None,
    batch: int | None,
    precision: str,
    device: str,
) -> "list[Named]":
    from pixelbench.experiments.bench.subjects import of_family, of_suite
    from pixelbench.experiments.foreign.parsing import parse_settings, parse_shape
    from pixelbench.models.families import FAMILIES
    from pixelbench.suites.load import is_path, load_suite, suite_names

    if target in FAMILIES:
        if only or budget:
            raise UserError(f"'{target}' is a family; --only and --budget choose from a suite.")
        given = {"settings": parse_settings(settings or []), "shape": parse_shape(shape), "levels": levels}
        return [of_family(target, **given, batch=batch, precision=precision, device=device)]
    if not is_path(target) and target not in suite_names():
        raise unknown("family or suite", target, [*FAMILIES, *suite_names()])
    if settings or shape or levels:
        raise UserError(f"'{target}' is a suite, which has its own settings and images; --set, --shape and --levels are for families.")
    return of_suite(load_suite(target), only=only or (), budget=budget, batch=batch, precision=precision, device=device)


def _measured(subjects: "list[Named]", device: str, seconds: float, results: Path) -> "list[SpeedRecord]":
    """Measure one after another, and keep each at once."""
    from pixelbench.cli.progress import counted
    from pixelbench.experiments.bench.own_process import measure_alone
    from pixelbench.store.documents.bench_records import write_speed

    records = []
    with counted("bench") as show:
        for index, named in enumerate(subjects):
            show(named.name, index, len(subjects))

            def doing(what: str, done: int, total: int, named: "Named" = named, index: int = index) -> None:
                if not total:  # a round is too short to speak of
                    show(f"{named.name}, {what}", index, len(subjects))

            record = measure_alone(named, device, seconds, doing)
            say(f"Measured: {write_speed(results, record)}")
            records.append(record)
    return records


def _earlier(path: Path) -> "list[SpeedRecord]":
    """The measurements of a file, or of all in a folder that are sound.

    Raises:
        UserError: no such file, or a damaged one.
    """
    from pixelbench.store.documents.bench_records import read_folder, read_speed

    if not path.is_dir():
        return [read_speed(path)]
    records, problems = read_folder(path)
    for problem in problems:
        say(f"Not used: {problem}")
    return records


def _changes(earlier: "list[SpeedRecord]", records: "list[SpeedRecord]") -> "list[Change]":
    from pixelbench.analysis.speed import changes, comparable

    return [change for record in records if (before := comparable(earlier, record)) is not None for change in changes(before, record)]


def _document(record: "SpeedRecord") -> dict[str, object]:
    from dataclasses import asdict

    from pixelbench.analysis.speed import quantities_of

    return {**asdict(record), "figures": {key: quantity.as_dict() for key, quantity in quantities_of(record).items()}}


def _print(records: "list[SpeedRecord]", found: "list[Change]") -> None:
    from pixelbench.analysis.speed import TITLES, row_of, three_digits

    for record in records:  # one under another: so many columns fit no terminal
        print_table(("measured", record.name), list(zip(TITLES[1:], row_of(record)[1:], strict=True)))
    if found:
        rows = [
            (
                change.name,
                change.action,
                three_digits(change.before),
                three_digits(change.after),
                change.unit,
                f"{change.ratio:.2f}",
                "–" if change.chance is None else f"{change.chance:.3f}",
                change.verdict,
            )
            for change in found
        ]
        print_table(
            ("measured", "what", "before", "after", "unit", "ratio", "chance", "verdict"),
            rows,
            right=("before", "after", "ratio", "chance"),
        )
    stdout().print("± is half of the distance between the quartiles of the rounds.", markup=False)
