"""`pixelbench measure RESULTS [RUN…]`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments.options import DataOption, JsonOption, check_seed
from pixelbench.cli.output import FINE, NOTHING, print_json, say, stdout
from pixelbench.errors import UserError, unknown

if TYPE_CHECKING:
    from pixelbench.experiments.measuring.measure import Measuring
    from pixelbench.store.scan import Scan, StoredRun

_EXAMPLES = """Example: pixelbench measure results

Example: pixelbench measure results digits/gated-pixelcnn --statistic kid --features pixels,random-conv -n 500"""


#: Fewer cannot be halved for their errors; of more, a dozen matrices of so many squared are too much for most memories.
_LEAST, _MOST = 24, 5000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(measure)


def measure(
    results: Annotated[Path, typer.Argument(help="The results folder.", metavar="RESULTS")] = Path("runs"),
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Only these: the first digits of a run key, or task/variant.")
    ] = None,
    statistic: Annotated[
        list[str] | None,
        typer.Option("--statistic", metavar="NAME", help="Only this measure or statistic, such as kid; may be given again. Else all."),
    ] = None,
    n: Annotated[
        int, typer.Option("--n", "-n", min=_LEAST, max=_MOST, help="Images per run; fewer where a task has fewer real ones.")
    ] = 1000,
    features: Annotated[
        str,
        typer.Option(
            "--features", metavar="NAMES", help="With commas: pixels, random-conv, classifier, inception, or one that you registered."
        ),
    ] = "random-conv",
    seed: Annotated[
        int, typer.Option("--seed", min=0, callback=check_seed, help="Seed of the drawing, and of which real images are taken.")
    ] = 0,
    rerun: Annotated[bool, typer.Option("--rerun", help="Measures again what is measured with the same settings already.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> int:
    """Hold stored runs' samples against real images: draw from their weights, measure, keep the numbers beside the records.

    Nothing is trained. Every number stands between that of real images and that of images which are wrong in a known way. Runs without
    weights are named and left out.
    """
    from pixelbench.data.folder import use_data_folder
    from pixelbench.experiments.measuring.measure import Measuring, feature_names, measurable
    from pixelbench.files.writable import ensure_writable
    from pixelbench.store.scan import require_store, scan

    use_data_folder(data)
    names, statistics = feature_names(features), measurable(statistic or [])
    found = scan(require_store(results)).examine()
    chosen = _chosen(found, runs or [])
    if not chosen:
        say(f"No finished runs in '{results}'; execute some with `pixelbench run --suite quick`.")
        return NOTHING
    ensure_writable(results, 1 << 20)
    measuring = Measuring(statistics, n, seed)
    document = _measured(found, chosen, measuring, names, rerun)
    if as_json:
        print_json(document)
    else:
        _print(results, [run.record.run_key for run in chosen])
    return FINE


def _chosen(found: "Scan", names: list[str]) -> "list[StoredRun]":
    """The runs by task and variant; with names, those that each of them means.

    Raises:
        UserError: a name that means none.
    """
    ordered = sorted(found.values(), key=lambda run: (run.record.task.name, run.record.variant.name, run.record.seed))
    if not names:
        return [run for run in ordered if run.record.status == "done"]
    chosen: dict[str, StoredRun] = {}
    for name in names:
        meant = [run for run in ordered if _cell(run) == name] or [run for run in ordered if name and run.record.run_key.startswith(name)]
        if not meant:
            raise unknown("run", name, {_cell(run) for run in ordered})
        chosen |= {run.record.run_key: run for run in meant}
    return list(chosen.values())


def _cell(run: "StoredRun") -> str:
    return f"{run.record.task.name}/{run.record.variant.name}"


def _measured(found: "Scan", runs: "list[StoredRun]", measuring: "Measuring", features: list[str], rerun: bool) -> dict[str, list[Any]]:
    """Measure and keep, with progress on stderr; a run that cannot be measured is named with the reason and left out."""
    from pixelbench.cli.progress import steady
    from pixelbench.experiments.measuring.keep import keep_measurements
    from pixelbench.experiments.measuring.measure import refusal, weights_digest

    document: dict[str, list[Any]] = {"measured": [], "skipped": [], "left_out": []}
    for run in runs:
        about = {"run_key": run.record.run_key, "task": run.record.task.name, "variant": run.record.variant.name, "seed": run.record.seed}
        try:
            if said := refusal(run):
                raise UserError(said)
            missing, reasons = measuring.outstanding(run, features, rerun=rerun)
            for reason in reasons:
                document["left_out"].append({**about, "reason": reason})
                say(f"{run.record.spec.label}: {reason}")
            if not missing:
                document["skipped"] += [] if reasons else [about]
                continue
            weights = weights_digest(run)
            with steady(run.record.spec.label) as measuring.progress:
                new = measuring.measure(run, missing)
            keep_measurements(found.store, run, weights, new)
            document["measured"] += [{**about, **asdict(one)} for one in new]
            say(f"{run.record.spec.label}: {new[0].n:,} samples drawn in {new[0].draw_seconds:,.1f} s and measured")
        except UserError as error:
            document["left_out"].append({**about, "reason": str(error)})
            say(f"{run.record.spec.label} is not measured: {error}")
    if document["skipped"]:
        say(f"{len(document['skipped'])} measured already with these settings; --rerun measures them again.")
    return document


def _print(results: Path, keys: list[str]) -> None:
    """The tables of the runs."""
    from pixelbench.reports.quality_text import print_quality
    from pixelbench.reports.report import build_report

    print_quality(build_report(results, keys), stdout())
