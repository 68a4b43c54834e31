"""The end of a page: how to read it, and where it comes from."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata

from pixelbench.analysis import format as words
from pixelbench.reports.html.anchors import anchor
from pixelbench.reports.legend import explanations
from pixelbench.reports.report import Report
from pixelbench.store.record import Provenance, Stretch

#: Explained here because only a page draws them.
DRAWINGS = """\
- **published beside measured**: the ring is the published value, the bar behind it the tolerance within which a measurement counts as
  the same, the dot what was measured here; a line through the dot is a 90 % interval over seeds.
- **forest plot**: the dot is the difference to the baseline, the line its 95 % interval, the upright line no difference.
- **dependence map**: around the output's own pixel, in the frame, the input sub-pixels that can change this output, over all pixels of the
  image. Green: seen; dark: a blind spot, earlier and not seen; red with a cross: seen and may not be, a leak.
- **counter-example**: one input that was changed and the earlier or same output that moved, by how much of the largest; one is a proof."""

#: Where the documentation says more of a term, by the words that it begins with; of the others the glossary does.
_PAGES = {
    "bits/dim": "protocol/#likelihood",
    "nats/image": "protocol/#likelihood",
    "≤": "protocol/#likelihood",
    "code length": "protocol/#likelihood",
    "behind the best": "protocol/#differences",
    "difference": "protocol/#differences",
    "forest plot": "protocol/#differences",
    "no leak found": "protocol/#causality",
    "published": "protocol/#verdicts-on-published-figures",
    "verdict": "protocol/#verdicts-on-published-figures",
    "proved": "bytes/",
    "not causal": "causality/",
    "dependence map": "causality/",
    "counter-example": "causality/",
    "sample quality": "quality/",
    **dict.fromkeys(
        ("KID", "train/held-out", "precision", "recall", "density", "coverage", "spacing", "spectrum"), "quality/#what-is-measured"
    ),
}
_GLOSSARY = "glossary/"
#: Columns that are explained under another word.
_ELSEWHERE = {"causal": "no leak found", "n": "bits/dim", "sequential score": "not causal"}

_TERM = re.compile(r"\*\*(.+?)\*\*")


@dataclass(frozen=True)
class Term:
    """A term with its explanation; `anchor` is its id, `link` the page of the documentation that says more, empty where that is nowhere
    published."""

    anchor: str
    title: str
    said: str
    link: str

    @property
    def names(self) -> list[str]:
        """What columns that it explains are called, or begin with: `zeros` and `colour coherence` of a term of both."""
        return [name.partition(" ±")[0].strip() for name in self.title.split(",")]


def how_to_read(report: Report) -> list[Term]:
    """Terms with their explanations, those that the page has."""
    items = re.split(r"^- ", "\n".join([*explanations(report), DRAWINGS]), flags=re.MULTILINE)
    return [_term(" ".join(item.split())) for item in items if item.strip()]


def terms_of(titles: list[str], terms: list[Term]) -> list[tuple[str, str]]:
    """Of the columns of a table, those that have an explanation, with its id."""
    found: list[tuple[str, str]] = []
    for title in titles:
        sought = _ELSEWHERE.get(title, title)
        found += [(title, term.anchor) for term in terms if any(sought.startswith(name) for name in term.names)][:1]
    return found


@cache
def documentation() -> str:
    """The address of the documentation, as the installed package names it; empty where it names none."""
    try:
        named = metadata("pixelbench").get_all("Project-URL") or []
    except PackageNotFoundError:  # a checkout that was never installed
        return ""
    addresses = dict(entry.split(", ", 1) for entry in named if ", " in entry)
    address = next((address for name, address in addresses.items() if name.lower() == "documentation"), "")
    return f"{address.rstrip('/')}/" if address.startswith("https://") else ""


def provenance_rows(report: Report) -> list[tuple[str, str]]:
    """Code, versions, devices, seeds, budgets and cost of all runs."""
    runs = [run for cell in report.cells for run in cell.runs]
    given = [run.record.provenance for run in runs]
    trained = [*given, *(stretch for about in given for stretch in about.earlier if stretch.device is not None)]
    known = {
        "code": {_commit(about) for about in trained},
        "versions": {f"{name} {version}" for about in given for name, version in about.versions.items()},
        "device": {about.device for about in trained if about.device is not None},
        "threads a run": {str(about.threads) for about in trained if about.threads is not None},
        "precision": {about.precision for about in given},
        "days": {about.date for about in given if about.date},
        "seeds": {str(run.seed) for run in runs},
        "budgets": {f"{run.record.budget.name} ({words.whole(run.updates)} updates)" for run in runs if run.updates},
    }
    total = sum(run.record.cost.all_seconds for run in runs)
    lines = [(name, ", ".join(sorted(values, key=_natural))) for name, values in known.items() if values]
    return [*lines, ("computing", f"{words.seconds(total)} seconds for {len(runs):,} run{'' if len(runs) == 1 else 's'}")]


def _term(item: str) -> Term:
    """`**zeros**, **coherence**: the share` → `zeros, coherence` and `the share`; marks of Markdown within are dropped."""
    term, _, rest = item.partition(": ")
    title, pages = _plain(term), documentation()
    page = next((page for name, page in _PAGES.items() if title.startswith(name)), _GLOSSARY)
    return Term(anchor("term", title), title, _plain(rest), f"{pages}{page}" if pages else "")


def _plain(text: str) -> str:
    return _TERM.sub(r"\1", text).replace("*", "")


def _commit(about: Provenance | Stretch) -> str:
    """`0123456789ab with uncommitted changes`"""
    commit = about.git_commit
    return (commit[:12] if commit else "not from a git checkout") + (" with uncommitted changes" if about.git_dirty else "")


def _natural(text: str) -> tuple[bool, int, str]:
    """Whole numbers by their size."""
    return (False, int(text), "") if text.isdecimal() and len(text) < 20 else (True, 0, text)
