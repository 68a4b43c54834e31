"""The papers behind published figures: their addresses, and how to cite them and the runs that stand beside them."""

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

from pixelbench.published.figures import Figure
from pixelbench.reports.export.latex import latex
from pixelbench.store.cells import Cell

_ARXIV = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}")
#: BibTeX counts braces, also those that TeX is told to print.
_BRACES = {r"\{": r"\textbraceleft{}", r"\}": r"\textbraceright{}"}
#: Accents apart from their letters.
_COMBINING = re.compile(r"[\u0300-\u036f]")


def address(figure: Figure) -> str:
    """Where the paper of a figure is to be read, `https://arxiv.org/abs/1606.05328`; empty where nobody wrote it down."""
    if _ARXIV.fullmatch(figure.arxiv):
        return f"https://arxiv.org/abs/{figure.arxiv}"
    return quote(figure.url, safe=":/?&=#%-._~") if figure.url.startswith("https://") else ""


def doi(figure: Figure) -> str:
    """The DOI that arXiv gives a paper; empty where it is not there."""
    return f"10.48550/arXiv.{figure.arxiv}" if _ARXIV.fullmatch(figure.arxiv) else ""


def paper_entry(figure: Figure) -> str:
    """The paper as a BibTeX entry, as far as the figure's file knows it."""
    fields = {
        "title": _braced(figure.title or figure.paper),
        "author": " and ".join(_text(name.strip()) for name in figure.authors.split(",")) if figure.authors else _text(figure.paper),
        "year": str(figure.year),
        "booktitle": _text(figure.venue),
        "doi": doi(figure),
        "url": address(figure),
    }
    return _entry("inproceedings" if figure.venue else "misc", _key(figure.paper), fields)


def run_entry(cell: Cell) -> str:
    """The runs of a cell as a BibTeX entry: keys, seeds, images and commit say which."""
    record = cell.runs[0].record
    made = [each for run in cell.runs for each in (run.record.provenance, *run.record.provenance.earlier)]
    commits = sorted({each.git_commit[:12] for each in made if each.git_commit})
    dates: list[str] = sorted(date for run in cell.runs if (date := run.record.provenance.date))
    note = [
        f"run{'s' if len(cell.runs) > 1 else ''} {', '.join(run.key for run in cell.runs)}",
        f"seed{'s' if len(cell.runs) > 1 else ''} {', '.join(str(run.seed) for run in cell.runs)}",
        f"budget {record.budget.name}, {record.budget.updates:,} updates",
        f"images {record.task.digest[:12]}",
        *([f"commit {', '.join(commits)}"] if commits else []),
    ]
    fields = {
        "title": _braced(f"{cell.label} on {cell.task}: a run of PixelBench"),
        "author": "{The PixelBench authors}",
        "year": dates[-1][:4] if dates else "",
        "note": _text("; ".join(note)),
    }
    return _entry("misc", f"pixelbench-{record.run_key}", fields)


def entries(cell: Cell, figures: Iterable[Figure]) -> str:
    """The cell's runs and the papers of these figures, each once."""
    papers = dict.fromkeys(paper_entry(figure) for figure in figures if figure.kind != "claim")
    return "\n\n".join([run_entry(cell), *papers])


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    lines = [f"  {name:9} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _key(name: str) -> str:
    """`vandenoordetal2016b`"""
    plain = _COMBINING.sub("", unicodedata.normalize("NFKD", name))
    return re.sub(r"[^A-Za-z0-9-]", "", plain).lower() or "paper"


def _braced(text: str) -> str:
    """A text whose capital letters BibTeX leaves alone."""
    return f"{{{_text(text)}}}"


def _text(text: str) -> str:
    written = latex(" ".join(text.split()))
    for brace, said in _BRACES.items():
        written = written.replace(brace, said)
    return written
