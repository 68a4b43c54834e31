"""The cells of the map as they are drawn: blind spots are told from what lies beyond the context."""

from pixelbench.causality.report import CausalityReport


def map_rows(report: CausalityReport, out: int, into: int) -> list[str]:
    """The rows of the map for an output and an input colour.

    In the letters of `Map`, and `b` for a blind spot: earlier, inside the bounding box of what is seen, and not seen.
    """
    drawn = report.map

    def letter(letter: str, row: int, column: int) -> str:
        return "b" if letter == "." and (report.context.holds(row, column) or row == column == 0) else letter

    rows = enumerate(drawn.pairs[out, into], drawn.top)
    return ["".join(letter(one, row, column) for column, one in enumerate(line, drawn.left)) for row, line in rows]
