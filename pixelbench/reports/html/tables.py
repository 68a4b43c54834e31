"""The report's tables as a page shows them: the same columns and words, with what a click on a heading orders them by."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pixelbench.analysis import format as words
from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.reports import columns
from pixelbench.reports.columns import Column
from pixelbench.reports.html.drawn.pictures import Crop

#: Categories in words, to filter by.
CATEGORIES = {
    "ranked": "exact",
    "told": "given the class",
    "bound": "bounds",
    "reference": "code lengths",
    "leaking": "not causal",
    "unscored": "without a number",
}
#: The title of the column of pictures.
SAMPLES = "samples"
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
#: What is ordered by its whole value and not by the digits shown.
_EXACT: dict[str, Callable[[Row], float | None]] = {
    columns.SCORE.title: lambda row: row.bits_per_dim,
    columns.NATS.title: lambda row: row.nats_per_image,
    columns.SEQUENTIAL.title: lambda row: row.sequential_bits_per_dim,
    columns.PROVED.title: lambda row: None if row.proof is None else row.proof.coded.coded_bytes / row.proof.n_images,
    columns.SECONDS.title: lambda row: row.seconds,
    columns.BEHIND.title: lambda row: None if row.behind is None else row.behind.mean,
    columns.BEHIND_NATS.title: lambda row: None if row.behind is None else row.behind.mean,
    columns.PUBLISHED.title: lambda row: None if row.published is None else row.published.figure.value,
    columns.DIFFERENCE.title: lambda row: None if row.published is None else row.published.difference,
}
#: What says nothing of a model that leaks, so that it never comes first.
_LIKELIHOODS = (columns.SCORE.title, columns.NATS.title)


@dataclass(frozen=True)
class Heading:
    """`number`: its column is right-aligned and ordered by number. `pictures`: it holds samples, which are not ordered."""

    title: str
    number: bool = False
    pictures: bool = False


@dataclass(frozen=True)
class Field:
    """A cell of a table: `text`, with `note` small below it. `order` is what it is ordered by, empty where it always comes last. `mark` is
    a class of the style sheet; `target` the id of the section that it leads to; `crop` what is shown instead of text."""

    text: str
    note: str = ""
    order: str = ""
    mark: str = ""
    target: str = ""
    crop: Crop | None = None


@dataclass(frozen=True)
class TableLine:
    """A row: `category` as in `tables`, and in words that can be filtered by."""

    category: str
    words: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Grid:
    """A table; `foot` is a last row that is neither ordered nor filtered, or nothing."""

    caption: str
    headings: tuple[Heading, ...]
    lines: tuple[TableLine, ...]
    foot: tuple[Field, ...]

    @property
    def drawn(self) -> str:
        """The title of the column of an ablation's differences, which are drawn behind it; empty where it has none."""
        return columns.AGAINST if columns.AGAINST in self.titles else ""

    @property
    def titles(self) -> list[str]:
        """Of its columns."""
        return [heading.title for heading in self.headings]

    @property
    def categories(self) -> list[tuple[str, str]]:
        """Those that it has, with their words, to choose from."""
        present = {line.category for line in self.lines}
        return [(name, said) for name, said in CATEGORIES.items() if name in present]


def grid_of(
    caption: str, table: TaskTable, chosen: list[Column], anchors: dict[str, str], crops: dict[str, Crop], real: Crop | None = None
) -> Grid:
    """A result table.

    Args:
        caption: what it shows, for those who hear the page.
        table: the rows.
        chosen: its columns.
        anchors: label of a variant → id of its section.
        crops: label → some of its samples, which stand behind the name.
        real: some real test images.
    """
    headings = [Heading(column.title, column.right) for column in chosen]
    lines = [(row, [_field(column, row, anchors) for column in chosen]) for row in table.rows]
    foot = [Field(column.real(table)) for column in chosen]
    if crops:
        behind = chosen.index(columns.VARIANT) + 1
        headings.insert(behind, Heading(SAMPLES, pictures=True))
        for row, fields in lines:
            fields.insert(behind, Field("", target=anchors.get(row.label, ""), crop=crops.get(row.label)))
        foot.insert(behind, Field("", crop=real))
    shown = tuple(TableLine(row.category, CATEGORIES[row.category], tuple(fields)) for row, fields in lines)
    return Grid(caption, tuple(headings), shown, tuple(foot) if table.measured else ())


def split(text: str) -> tuple[str, str]:
    """A number, and what stands in parentheses behind it: `1.935 ± 0.055 (sd 0.000)`."""
    head, bracket, rest = text.partition(" (")
    return (head, rest.removesuffix(")").replace(") (", "; ")) if bracket else (text, "")


def _field(column: Column, row: Row, anchors: dict[str, str]) -> Field:
    if column is columns.VARIANT:
        return Field(row.label, order=row.label.lower(), target=anchors.get(row.label, ""))
    text, note = _parts(column, row)
    sign = f"{row.published.sign} " if column is columns.VERDICT and row.published is not None else ""
    return Field(sign + text, note, _order(column, row, text), _mark(column, row))


def _parts(column: Column, row: Row) -> tuple[str, str]:
    """The text of a cell, and the small text below it."""
    text, note = split(column.cell(row)) if column.right or column in (columns.CAUSAL, columns.VERDICT) else (column.cell(row), "")
    if column in (columns.LATENTS, columns.PROVED):
        text, _, note = column.cell(row).partition(", ")
    if column is columns.PUBLISHED and row.published is not None:
        text, _, unit = text.rpartition(" ")
        note = "; ".join(part for part in (unit, note) if part)
    if column is columns.SCORE:
        said = "not causal" if row.category == "leaking" else words.estimated(row)
        note = "; ".join(part for part in (said, note) if part)
    return text, note


def _order(column: Column, row: Row, text: str) -> str:
    if row.category == "leaking" and column.title in _LIKELIHOODS:
        return ""
    if column.title in _EXACT:
        value = _EXACT[column.title](row)
        return "" if value is None else repr(value)
    if not column.right:
        return "" if text == words.NONE else text.lower()
    found = _NUMBER.search(text)
    return found[0].replace(",", "") if found else ""


def _mark(column: Column, row: Row) -> str:
    if column is columns.SCORE and row.category == "leaking":
        return "struck"
    if column is columns.CAUSAL and row.causal == "leaky":
        return "leak"
    if column is columns.VERDICT and row.published is not None:
        return f"verdict {row.published.verdict_name.replace(' ', '-')}"
    if column is columns.STATUS and row.status != "done":
        return "alarm"
    return ""
