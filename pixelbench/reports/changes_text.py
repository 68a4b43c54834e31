"""The changes between two stores as people read them: the cells of a table, and Markdown for a comment on a pull request."""

from pixelbench.analysis.changes import Change, Changes
from pixelbench.reports import escape

TITLES = ("task/variant", "A", "B", "B - A", "what changed")
RIGHT = ("A", "B", "B - A")
NONE = "–"


def shown(changes: Changes) -> list[Change]:
    """The changes that have a row: all but identical ones."""
    return [change for change in changes.changes if change.kind != "identical"]


def row(change: Change) -> list[str]:
    """`photos/pixelcnn`, `1.238`, `1.301`, `+0.0630 ± 0.0110`, `! worse`: the mark is that of a regression."""
    decimals = 2 if change.unit == "nats/image" else 3
    difference = NONE
    if change.difference is not None and change.noise is not None:
        fine = 2 if change.unit == "nats/image" else 4
        difference = f"{change.difference:+.{fine}f} ± {change.noise:.{fine}f}"
    return [
        f"{change.task}/{change.label}",
        *(NONE if value is None else f"{value:.{decimals}f}" for value in (change.before, change.after)),
        difference,
        f"{'! ' if change.regression else ''}{change.kind}",
    ]


def sentences(changes: Changes) -> list[str]:
    """The sentence on a cell, after its name; nothing of those that did not change, nor of a name that only one store has."""
    silent = ("identical", "unchanged", "no number", "only in A", "only in B")
    told = [change for change in changes.changes if change.kind not in silent or change.otherwise]
    return [f"{change.task}/{change.label}: {change.sentence}" for change in told]


def legend(changes: Changes) -> str:
    """A legend: A and B, the numbers, and the marks."""
    about = f"A is '{changes.first}', B is '{changes.second}'; bits/dim, of images of two levels nats/image; ± is the noise (95 %)"
    return f"{about}; ! marks a regression." if changes.regressions else f"{about}."


def to_markdown(changes: Changes) -> str:
    """A heading with the outcome, the table, the sentences, and what could not be used."""
    count = len(changes.regressions)
    outcome = f"{count} regression{'' if count == 1 else 's'}" if count else "no regression"
    parts = [f"### PixelBench: {outcome}", escape.text(changes.summary)]
    rows = [[escape.text(cell) for cell in row(change)] for change in shown(changes)]
    if rows:
        parts += [escape.table(list(TITLES), [title in RIGHT for title in TITLES], rows), escape.text(legend(changes))]
    said = [f"- {escape.text(sentence)}" for sentence in sentences(changes)]
    said += [f"- Not used: {escape.text(problem)}" for problem in changes.problems]
    return "\n\n".join([*parts, *(["\n".join(said)] if said else [])]) + "\n"
