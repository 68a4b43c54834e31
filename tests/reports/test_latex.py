"""Tables for a paper: every number as the report has it, leaks without one, and no text that LaTeX would execute."""

from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.reports.export.latex import latex, latex_table, write_latex
from pixelbench.reports.report import build_report
from tests.support.record_factory import add_digits

pytestmark = pytest.mark.quick


def test_a_leak_has_no_number_and_the_others_have_theirs(tmp_path: Path) -> None:
    add_digits(tmp_path)
    report = build_report(tmp_path)
    text = write_latex(report).read_text()
    for row in report.tables[0].rows:
        (line,) = [line for line in text.splitlines() if line.startswith(f"{row.label} & ")]
        if row.category == "leaking":
            assert r"\emph{not causal}" in line
            assert "0." not in line
        elif row.bits_per_dim is not None:
            assert f"{row.bits_per_dim:.3f}" in line


def test_columns_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    add_digits(tmp_path)
    (table,) = build_report(tmp_path).tables
    assert r"\begin{tabular}{lr}" in latex_table(table)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b & 50% #1 $x$ {y}", r"a\_b \& 50\% \#1 \$x\$ \{y\}"),
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("a ~ b ^ c <d>", r"a \textasciitilde{} b \textasciicircum{} c \textless{}d\textgreater{}"),
        ("≤ 1.0 ± 0.1", r"$\leq$ 1.0 $\pm$ 0.1"),
    ],
)
def test_no_text_is_a_command(text: str, shown: str) -> None:
    assert latex(text) == shown


def test_a_hostile_label_stays_text(tmp_path: Path) -> None:
    add_digits(tmp_path)
    (table,) = build_report(tmp_path).tables
    hostile = replace(table, rows=(replace(table.rows[0], label=r"\write18{x}%"),))
    assert r"\write18" not in latex_table(hostile)
