"""The tables of a report as LaTeX, to be put into a paper: one a task, with verdict marks and what they mean in footnotes."""

from collections.abc import Iterator
from pathlib import Path

from pixelbench.analysis import format as words
from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.files.atomic import write_text
from pixelbench.reports.report import Report
from pixelbench.visible import visible

_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "≤": r"$\leq$",
    "±": r"$\pm$",
    "–": "--",
    "−": "$-$",
}
#: Marks of verdicts that pdfLaTeX sets, since its fonts have no triangles.
_MARKS = {
    "reproduced": r"\checkmark",
    "better": r"$\uparrow$",
    "worse": r"$\downarrow$",
    "inconclusive": r"$\sim$",
    "incomplete": r"$\ldots$",
    "not comparable": r"$\neq$",
    "not causal": r"$\times$",
}


def write_latex(report: Report, out: Path | None = None) -> Path:
    """Write `report.tex` into the store, or the file `out`: fragments for `\\input`, which need `booktabs` and `amssymb`."""
    path = out or report.store / "report.tex"
    head = "% Written by PixelBench. In the preamble: \\usepackage{booktabs, amssymb}"
    write_text(path, "\n\n".join([head, *(latex_table(table) for table in report.tables)]) + "\n")
    return path


def latex_table(table: TaskTable) -> str:
    """A task's rows: variant, measured number with its error, and where papers have some, published number and verdict.

    Leaks have no number.
    """
    unit = "nats/image" if table.binary else "bits/dim"
    shown = 4 if any(row.published is not None for row in table.rows) else 2
    titles = ["variant", latex(unit), "published", "verdict"][:shown]
    rows = [" & ".join(_cells(row, table)[:shown]) + r" \\" for row in table.rows]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex(table.task)}: {latex(unit)}, test images; after $\pm$ the standard error over images.}}",
        rf"\label{{tab:{_label(table.task)}}}",
        rf"\begin{{tabular}}{{{'lrrl'[:shown]}}}",
        r"\toprule",
        " & ".join(titles) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        *_footnotes(table),
        r"\end{table}",
    ]
    return "\n".join(lines)


def latex(text: str) -> str:
    """A text as LaTeX shows it: what would be a command or an invisible character is spelled out."""
    return "".join(_SPECIAL.get(character, character) for character in visible(text))


def _cells(row: Row, table: TaskTable) -> list[str]:
    leaking = row.category == "leaking"
    number = r"\emph{not causal}" if leaking else latex(words.nats(row) if table.binary else words.score(row))
    kind = "" if leaking or not (said := words.estimated(row)) else f" ({latex(said)})"
    verdict = "" if row.published is None else row.published.verdict_name
    return [latex(row.label), number + kind, latex(words.published(row)), _MARKS.get(verdict, "")]


def _footnotes(table: TaskTable) -> Iterator[str]:
    """The meaning of each mark in the table, and the sentence of each verdict that has fallen."""
    fallen = [row.published for row in table.rows if row.published is not None]
    names = dict.fromkeys(one.verdict_name for one in fallen if one.verdict_name in _MARKS)
    if names:
        yield r"\par\smallskip\footnotesize " + "; ".join(f"{_MARKS[name]}~{name}" for name in names) + "."
    for one in fallen:
        if one.verdict is not None and one.verdict.decided:
            yield rf"\par\footnotesize {latex(f'{one.label}: {one.verdict.sentence}')}"


def _label(task: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in task)
