"""Records and curves that hold anything: each is used, doubted, or named in a sentence, and every report is written."""

import io
import json
import random
from pathlib import Path

import pytest
from rich.console import Console

from pixelbench.reports.export.csv import write_csv
from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import build_report
from pixelbench.reports.terminal import print_report
from pixelbench.store.artifacts import CURVE, read_summary
from pixelbench.store.frame import results_frame
from pixelbench.store.scan import scan
from tests.faults.outcomes import outcomes
from tests.faults.record_mutations import damaged, right_again
from tests.support.record_factory import add_digits, add_photos, add_run, folder_of

#: A page takes longer than all else together, so one store in so many gets one.
PAGES = 25


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.faults)])
def test_records(tmp_path: Path, count: int) -> None:
    """Two runs stay as they are, and none may be taken away by what another one's record says."""
    store = tmp_path / "store"
    folders = [folder_of(store, add_run(store, "gated-pixelcnn", 0.9, seed=seed)) for seed in (0, 1)]
    add_run(store, "histogram", 3.8)
    leaky = add_run(store, "gated-residual", 0.01, settings={"first_layer": "residual"}, causal="leaky", expect="leaky", sequential=9.1)
    folders += [folder_of(store, leaky), folder_of(store, add_run(store, "pixelcnn", status="failed"))]
    whole = {folder: (folder / "record.json").read_bytes() for folder in folders[1:]}

    def attempt(chance: random.Random) -> None:
        folder, blob = chance.choice(list(whole.items()))
        (folder / "record.json").write_bytes(damaged(json.loads(blob), chance))
        try:
            found = scan(store).examine()
            assert folders[0].name in found
            frame = results_frame(found)
            assert len(frame) == len(found)
            _report(store, pages=chance.random() < 1 / PAGES)
        finally:
            (folder / "record.json").write_bytes(blob)

    fine, _, wrong = outcomes(count, 15, attempt)
    assert wrong == []
    assert fine == count


@pytest.mark.parametrize("count", [100, pytest.param(500, marks=pytest.mark.faults)])
def test_curves(tmp_path: Path, count: int) -> None:
    """A curve is drawn, or left out and named."""
    folder = folder_of(tmp_path, add_run(tmp_path, "gated-pixelcnn", 0.9, updates=200))
    whole = (folder / CURVE).read_text()
    document = json.loads((folder / "record.json").read_bytes())
    used = []

    def attempt(chance: random.Random) -> None:
        (folder / CURVE).write_bytes(_damaged_curve(whole, chance))
        summary = read_summary(folder / CURVE)
        used.append(not summary.fault)
        if not summary.fault:  # as if the run had left this one, so that it is drawn
            record = document | {"artifacts": document["artifacts"] | {CURVE: summary.sha256}}
            (folder / "record.json").write_text(right_again(json.dumps(record)))
        found = scan(tmp_path).examine()
        assert len(found) == 1
        assert bool(found.problems) == bool(summary.fault)
        if chance.random() < 5 / PAGES:
            write_markdown(build_report(tmp_path))

    fine, _, wrong = outcomes(count, 15, attempt)
    assert wrong == []
    assert fine == count
    assert 0 < sum(used) < count


def test_whole_stores_are_used_whole(tmp_path: Path) -> None:
    """The mirror image: what is not damaged is neither doubted nor named."""
    add_photos(tmp_path)
    add_digits(tmp_path)
    found = scan(tmp_path).examine()
    assert found.problems == []
    assert not [run for run in found.values() if run.doubts or run.damaged]


def _report(store: Path, *, pages: bool) -> None:
    report = build_report(store)
    print_report(report, Console(file=io.StringIO(), width=120))
    json.dumps(report.as_dict(), allow_nan=False, default=str).encode()
    if pages:
        write_csv(store, store / "table.csv")
        write_markdown(report)
        write_html(report)


def _damaged_curve(text: str, chance: random.Random) -> bytes:
    rows = text.split("\n")
    at = chance.randrange(1, len(rows))
    cells = (rows[at] or "0,1,2").split(",")
    cells[chance.randrange(len(cells))] = chance.choice(_CELLS)
    changed = [*rows[:at], ",".join(cells), *rows[at + 1 :]]
    lost, doubled = rows[:at] + rows[at + 1 :], [*rows[:at], rows[at], *rows[at:]]
    blob = "\n".join(chance.choice((changed, changed, lost, doubled, rows[::-1]))).encode()
    cut = chance.randrange(len(blob))
    strange = blob[:cut] + b"\xff\0" + blob[cut:]
    return chance.choice((blob, blob, blob, blob[:cut] + b"\n", blob[:cut], strange, blob.replace(b"\n", b"\r\n"), b""))


#: Instead of a number.
_CELLS = (
    *("nan", "inf", "-1", "1e308", "", "x", "9" * 5000, "1e-320", '"', "0x10", "\x1b[2J", "٣", "1_0", " 1", "+1", "=1+1", "1e999", "3.5"),
    *("1e400", "-0", "0.0000001"),
)
