"""The section about measurements of speed, `<store>/bench`, in `report.md` and on the page."""

from pathlib import Path

from markupsafe import Markup

from pixelbench.analysis.speed import NUMBERS, TITLES, row_of
from pixelbench.reports import escape as markdown
from pixelbench.store.documents.bench_records import newest, read_speeds
from pixelbench.visible import visible

TITLE = "Speed"
#: The table in a sentence.
SAID = (
    "By pixelbench bench: medians over interleaved rounds, ± half of the distance between the quartiles. GFLOP/s are of a training "
    "step's products and convolutions, the roof is the faster of a large matrix product and a convolution in the same rounds; naive / "
    "cached is how many times as long drawing takes by whole forward passes, for one image and for the best batch. The latest measurement "
    "of each network and device. A family stands here at its default settings, or at those of the command "
    "or suite: these networks are of other sizes than those of the tables above, and than one another, so the rates are theirs and not the "
    "architectures'."
)


def speed_markdown(store: Path) -> list[str]:
    """The section's parts; none where nothing was measured."""
    records, problems = read_speeds(store)
    if not records and not problems:
        return []
    rows = [[markdown.text(cell) for cell in row_of(record)] for record in newest(records)]
    parts = [f"## {TITLE}", SAID]
    parts += [markdown.table([markdown.text(title) for title in TITLES], [title in NUMBERS for title in TITLES], rows)] if rows else []
    return parts + ["\n".join(f"- Not used: {markdown.text(problem)}" for problem in problems)] * bool(problems)


def speed_html(store: Path) -> Markup:
    """The section; empty where nothing was measured. Whatever a file says is text."""
    records, problems = read_speeds(store)
    if not records and not problems:
        return Markup("")
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(Markup(' class="number"') if title in NUMBERS else "", title) for title in TITLES
    )
    body = Markup("").join(_line(row_of(record)) for record in newest(records))
    table = Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{0}"><table id="speed-table" class="results">'
        '<caption class="unseen">{0}</caption>\n<thead><tr>{1}</tr></thead>\n<tbody>\n{2}</tbody></table></div>\n'
    ).format("Measurements of speed", head, body)
    faults = Markup("").join(Markup("<p>Not used: {}</p>\n").format(visible(problem)) for problem in problems)
    return Markup('<section id="speed">\n<h2>{}</h2>\n<p>{}</p>\n{}{}</section>\n').format(TITLE, SAID, table if records else "", faults)


def _line(cells: tuple[str, ...]) -> Markup:
    name, *rest = (visible(cell) for cell in cells)
    numbers = (Markup(' class="number"') if title in NUMBERS else "" for title in TITLES[1:])
    others = (Markup("<td{}>{}</td>").format(number, cell) for number, cell in zip(numbers, rest, strict=True))
    return Markup('<tr><th scope="row">{}</th>{}</tr>\n').format(name, Markup("").join(others))
