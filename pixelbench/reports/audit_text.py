"""An audit as people read it: the cells of a table, and a Markdown page with the certificates below."""

from collections.abc import Sequence

from pixelbench.analysis.audits import MISSING, Audited
from pixelbench.causality.render.text import report_text
from pixelbench.causality.report import CausalityReport
from pixelbench.reports import escape

_NOTE = "remark"
_TITLES = ("module", "shape", "verdict", "finding", _NOTE, "as expected")


def table_of(found: Sequence[Audited]) -> tuple[list[str], list[list[str]]]:
    """Titles and rows; without remarks where no entry has one."""
    shown = [index for index, title in enumerate(_TITLES) if title != _NOTE or any(one.note for one in found)]
    return [_TITLES[index] for index in shown], [[_cells(one)[index] for index in shown] for one in found]


def _cells(one: Audited) -> list[str]:
    """`rows-net`, `1x6x5`, `causal`, the sentence, the note, and how it differs from what was expected."""
    shape = "x".join(map(str, one.certificates[0]["shape"])) if one.certificates else ""
    allowed = "–" if one.verdict == MISSING else "yes"
    return [one.name, shape, one.verdict, one.sentence, one.note, allowed if one.as_expected else f"no: {'; '.join(one.differences)}"]


def outcome(found: Sequence[Audited]) -> str:
    """`12 modules: 10 as expected, 2 not, 1 of them missing.`"""
    differing = [one for one in found if not one.as_expected]
    missing = sum(one.verdict == MISSING for one in found)
    parts = [f"{len(found) - len(differing)} as expected", *([f"{len(differing)} not"] if differing else [])]
    of = "" if not missing else f"; {missing} {'is' if missing == 1 else 'are'} missing"
    return f"{len(found)} module{'' if len(found) == 1 else 's'}: {', '.join(parts)}{of}."


def certificate_text(one: Audited) -> str:
    """All that `check` says of it, or the end of what it printed where it could not be checked; empty where there is neither."""
    texts = [report_text(CausalityReport.from_json(document)) for document in one.certificates if "map" in document]
    return "\n\n".join(texts) or one.printed


def to_markdown(title: str, found: Sequence[Audited]) -> str:
    """A heading, the outcome, the table, and a section for each module that there is something to say of."""
    parts = [f"# {escape.text(title)}", escape.text(outcome(found))]
    titles, rows = table_of(found)
    parts.append(escape.table(titles, [False] * len(titles), [[escape.text(cell) for cell in cells] for cells in rows]))
    for one in found:
        text = certificate_text(one)
        parts += [f"## {escape.text(one.name)}", escape.block(text)] if text else []
    return "\n\n".join(parts) + "\n"
