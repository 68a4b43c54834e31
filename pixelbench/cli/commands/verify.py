"""`pixelbench verify RESULTS`."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments.flags import Command
from pixelbench.cli.arguments.options import DataOption, JsonOption
from pixelbench.cli.output import FAILED, FINE, print_json, print_table, say, stdout
from pixelbench.errors import UserError

if TYPE_CHECKING:
    from pixelbench.experiments.verify.adds_up import Behaviour, Rescored, Verification

_EXAMPLES = """Example: pixelbench verify results

Example: pixelbench verify results --behaviour --rescore 200"""
_ALL = "all"


class _WithOptionalNumber(Command):
    """`--rescore` without a number means all test images, which Typer has no way to say."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As click's, with the number put in where it was left out."""
        given = []
        for index, argument in enumerate(args):
            given.append(argument)
            after = args[index + 1] if index + 1 < len(args) else ""
            if argument == "--rescore" and not (after.isdecimal() or after == _ALL):
                given.append(_ALL)
        return super().parse_args(ctx, given)


ResultsArgument = Annotated[Path, typer.Argument(help="The results folder.", metavar="RESULTS")]
BehaviourOption = Annotated[bool, typer.Option("--behaviour", help="Also: does the present code compute what the runs' own code did?")]
RescoreOption = Annotated[
    str | None,
    typer.Option("--rescore", help="Also: do the stored weights give the stored nats, on N test images a run, or all?", metavar="[N]"),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES, cls=_WithOptionalNumber)(verify)


def verify(
    results: ResultsArgument = Path("runs"),
    behaviour: BehaviourOption = False,
    rescore: RescoreOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check whether a results folder still holds: every record against its key, its files and the pinned images, all read again.

    Nothing is trained. Exit code 1: something does not hold, and is named; 2: no results folder, or one of a newer PixelBench.
    """
    from pixelbench.data.folder import use_data_folder

    most = _number(rescore)
    use_data_folder(data)
    found = _verified(results, behaviour=behaviour, rescoring=rescore is not None, most=most)
    if as_json:
        print_json({**dataclasses.asdict(found), "holds": found.holds})
    else:
        _print(found)
    return FINE if found.holds else FAILED


def _number(rescore: str | None) -> int | None:
    if rescore in (None, _ALL):
        return None
    if not rescore.isdecimal() or int(rescore) < 1:
        raise UserError(f"--rescore takes a number of test images of at least 1, or all; got '{rescore}'.")
    return int(rescore)


def _verified(results: Path, *, behaviour: bool, rescoring: bool, most: int | None) -> "Verification":
    """Look at the store first, which needs no torch, then at code and weights with progress on stderr."""
    from pixelbench.experiments.verify.adds_up import Verification, examined

    found = examined(results)
    problems = tuple(found.problems)
    if not behaviour and not rescoring:
        return Verification(results, len(found), problems)
    from pixelbench.cli.progress import counted
    from pixelbench.experiments.verify.rescoring import rescore, verify_behaviour

    judged, scored = (), ()
    if behaviour:
        with counted("behaviour") as progress:
            judged = verify_behaviour(found, progress)
    if rescoring:
        with counted("scoring again") as progress:
            scored = tuple(rescore(found, most, progress))
    return Verification(results, len(found), problems, judged, scored)


def _print(found: "Verification") -> None:
    for problem in found.problems:
        say(problem)
    stdout().print(_adds_up(found), markup=False)
    if found.behaviour:
        stdout().print(_of_behaviour(found.behaviour), markup=False)
        stale = [one for one in found.behaviour if one.verdict == "stale"]
        if stale:
            print_table(("stale", "differs in"), [(", ".join(one.runs), ", ".join(one.differing)) for one in stale])
    if found.rescored:
        rows = [_row(one) for one in found.rescored]
        print_table(("run", "images", "largest difference, nats", "the weights give the stored nats"), rows, right=("images",))


def _adds_up(found: "Verification") -> str:
    runs = f"{found.runs} run{'' if found.runs == 1 else 's'}"
    if not found.problems:
        return f"{runs} in '{found.store}': everything adds up."
    return f"{runs} in '{found.store}': {len(found.problems)} thing{'s do' if len(found.problems) > 1 else ' does'} not add up, see above."


def _of_behaviour(behaviour: "tuple[Behaviour, ...]") -> str:
    counts = {verdict: sum(len(one.keys) for one in behaviour if one.verdict == verdict) for verdict in ("current", "stale", "unverified")}
    said = [f"{counts['current']} runs are current: the present code computes what theirs did"]
    said += [f"{counts['stale']} are stale"] if counts["stale"] else []
    said += [f"{counts['unverified']} keep no fingerprint to look at"] if counts["unverified"] else []
    return f"{'; '.join(said)}."


def _row(one: "Rescored") -> tuple[str, ...]:
    difference = "–" if one.largest_difference is None else f"{one.largest_difference:.2g}"
    return one.run, f"{one.images:,}" if one.images else "–", difference, "yes" if one.holds else f"no: {one.reason}"
