"""Stored runs by name, for `sample`, `eval` and `compress`, and what to do where the weights of one are not there."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pixelbench.cli.arguments.options import DEFAULT_RESULTS
from pixelbench.errors import MissingWeights, UserError, unknown

if TYPE_CHECKING:
    from pixelbench.store.cells import Run

#: So many names of other runs fit into a sentence.
_MOST_NAMED = 6


def find_run(results: Path, name: str) -> "Run":
    """The one finished run that a key prefix or `task/variant` names; of several seeds the lowest whose weights are there.

    Raises:
        UserError: none, or runs that differ in more than the seed.
    """
    from pixelbench.store.cells import cells_of

    runs = _runs(results)
    chosen = [run for run in runs if f"{run.task}/{run.variant}" == name] or [run for run in runs if name and run.key.startswith(name)]
    if not chosen and not runs:
        raise UserError(f"No runs are stored in '{results}'; execute some with `pixelbench run quick`.")
    if not chosen:
        raise unknown("run", name, {f"{run.task}/{run.variant}" for run in runs})
    finished = [run for run in chosen if run.done]
    if not finished:
        raise UserError(f"Run '{name}' ended as {chosen[0].record.status}, so it has no model to draw from; see `pixelbench status`.")
    if len(cells_of(finished)) > 1:
        raise UserError(f"'{name}' names {len(finished)} runs; say which by its key: {', '.join(run.key for run in finished)}.")
    return next(filter(_has_weights, finished), finished[0])


@contextlib.contextmanager
def advising(run: "Run", results: Path) -> Iterator[None]:
    """Around the loading of a run's model: where its weights are missing, say how to get them, and which others are there.

    Raises:
        UserError: they are missing.
    """
    try:
        yield
    except MissingWeights as error:
        raise UserError(f"{error} {_advice(run, results)}") from None


def _advice(run: "Run", results: Path) -> str:
    from pixelbench.cli.reproducing import command_of, present_request

    record, again = run.record, "execute a run of your own with `pixelbench run`"
    if (request := present_request(record)) is not None:
        own = results.absolute() == DEFAULT_RESULTS.absolute()
        where = "--rerun all" if own else f"--results {DEFAULT_RESULTS}"
        again = f"`{command_of(record, request)} --seeds {record.seed} {where}` leaves them in '{DEFAULT_RESULTS}'"
    others = [other for other in _runs(results) if other.done and _has_weights(other)]
    others.sort(key=lambda other: other.task != run.task)
    names = list(dict.fromkeys(f"{other.task}/{other.variant}" for other in others))
    return f"Only small ones are kept beside a record; {again}{_choice(names)}."


def _choice(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f". Those of {', '.join(names[:_MOST_NAMED])}{more} are there"


def _runs(results: Path) -> "list[Run]":
    from pixelbench.store.cells import load_runs
    from pixelbench.store.scan import require_store, scan

    return load_runs(scan(require_store(results)).examine())


def _has_weights(run: "Run") -> bool:
    from pixelbench.store.artifacts import weights_path

    return weights_path(run.folder).is_file()
