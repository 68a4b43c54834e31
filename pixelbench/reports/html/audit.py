"""An audit as one HTML file that needs no network."""

from collections.abc import Sequence
from pathlib import Path

from pixelbench.analysis.audits import Audited
from pixelbench.files.atomic import write_text
from pixelbench.reports.audit_text import certificate_text, outcome, table_of
from pixelbench.reports.html.document import rendered


def write_audit(title: str, found: Sequence[Audited], path: Path) -> None:
    """Write the table and the certificates below it, whole or not at all."""
    titles, rows = table_of(found)
    values = {"title": title, "outcome": outcome(found), "titles": titles, "rows": list(zip(found, rows, strict=True))}
    write_text(path, rendered("audit.html.j2", **values, certificates=[(one, certificate_text(one)) for one in found]))
