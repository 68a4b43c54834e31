"""`report.md`, its figures and the README's table: whole, linked, escaped, the same bytes each time, and without torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from pixelbench.errors import UserError
from pixelbench.evaluation.sheets import DESCRIPTION, RUNS, Section, Strip, sheet_png
from pixelbench.reports import escape
from pixelbench.reports.html.document import html_of
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.readme import BEGIN, END, main, updated, with_results
from pixelbench.reports.report import build_report
from tests.support.record_factory import add_digits, add_photos, add_run, as_schema_1, folder_of

ROOT = Path(__file__).parents[2]


def write_page(store: Path) -> str:
    return write_markdown(build_report(store)).read_text(encoding="utf-8")


def targets(page: str) -> list[str]:
    return [unquote(part.split(")")[0]) for part in page.split("](")[1:]]


def test_every_link_leads_to_a_picture(tmp_path: Path) -> None:
    add_photos(tmp_path)
    add_digits(tmp_path)
    page = write_page(tmp_path)
    assert "report-files/curves-photos.png" in targets(page)
    assert len({target for target in targets(page) if "samples.png" in target}) == 8
    for target in targets(page):
        with Image.open(tmp_path / target) as picture:
            picture.verify()


def test_of_very_many_curves_the_first_are_drawn(tmp_path: Path) -> None:
    for i in range(15):
        add_run(tmp_path, f"net-{i}", 2 + i / 10, settings={"layers": i + 1})
    assert "Of 15 trained variants the first 12 in the table's order." in write_page(tmp_path)
    drawn = (tmp_path / "report-files" / "curves-photos.png").read_bytes()
    for i in (12, 13, 14):
        shutil.rmtree(tmp_path / "photos" / f"net-{i}")
    assert "trained variants the first" not in write_page(tmp_path)
    assert (tmp_path / "report-files" / "curves-photos.png").read_bytes() == drawn


def test_a_sheet_names_the_variants_that_were_stored_after_it(tmp_path: Path) -> None:
    """What stands on it as the best is the best of its day."""
    shown = add_run(tmp_path, "gated-pixelcnn", 1.0)
    for variant, bits in (("pixelcnn", 1.2), ("uniform", 4.0), ("png", 3.0)):
        add_run(tmp_path, variant, bits)
    said = "real test images, samples of gated-pixelcnn. No weights are stored of row-lstm, so they are not shown."
    strip = Strip("real", np.zeros((1, 3, 16, 16)))
    (tmp_path / "report-files").mkdir()
    drawn = sheet_png([Section("", (strip,))], {DESCRIPTION: said, RUNS: shown.run_key})
    (tmp_path / "report-files" / "sheet-photos.png").write_bytes(drawn)
    page = write_page(tmp_path)
    assert f"{said} Stored later, so not on it: pixelcnn.\n" in page
    assert f"{said} Stored later, so not on it: pixelcnn.</figcaption>" in html_of(build_report(tmp_path), {})
    add_run(tmp_path, "row-lstm", 0.9)
    assert "so not on it: pixelcnn.\n" in write_page(tmp_path)


def test_page_and_figures_are_the_same_bytes_again(tmp_path: Path) -> None:
    add_photos(tmp_path)

    def snapshot() -> list[bytes]:
        write_page(tmp_path)
        return [path.read_bytes() for path in (tmp_path / "report.md", *sorted((tmp_path / "report-files").iterdir()))]

    assert snapshot() == snapshot()
    assert all(path.stat().st_size < 150_000 for path in (tmp_path / "report-files").iterdir())


def test_failures_carry_message_and_log_and_break_nothing(tmp_path: Path) -> None:
    add_digits(tmp_path)
    page = write_page(tmp_path)
    assert "loss is &lt;inf&gt; \\| at update 3" in page
    assert "````text\nupdate 2 loss 4.1\n```\nupdate 3 loss inf\n````" in page


def test_provenance_names_commit_versions_and_device(tmp_path: Path) -> None:
    add_run(tmp_path, "uniform", 4.0)
    page = write_page(tmp_path)
    for said in ("- code: 0123456789ab", "- versions: python 3.12.1, torch 2.11.0", "- device: cpu", "- threads a run: 1"):
        assert said in page


def test_text_from_a_record_cannot_change_the_page() -> None:
    assert escape.text("a|b *c* <img> [x](y) `z`\n# d") == r"a\|b \*c\* &lt;img&gt; \[x\](y) \`z\` # d"
    assert [escape.text(start) for start in ("# a", "- a", "1. a", "---", "0.5 a")] == [r"\# a", r"\- a", r"1\. a", r"\---", "0.5 a"]
    assert escape.link("a b/(c).png") == "a%20b/%28c%29.png"


def test_records_without_optional_parts_still_give_a_page(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, add_run(tmp_path, "png", 1.0))
    document = as_schema_1(folder)
    document["provenance"] = {"source_digest": None, "device": "cpu"}
    document["samples"] = {"statistics": {}}
    document["cost"] = {}
    document["causality"] = {}
    for name in ("latent", "error", "diagnoses", "sequential", "expect"):
        del document[name]
    (folder / "record.json").write_text(json.dumps(document), encoding="utf-8")
    page = write_page(tmp_path)
    assert "| png | 1.000 (code length) |" in page
    assert "not from a git checkout" in page
    assert "could not be used" not in page


def test_readme_table_goes_between_its_markers(tmp_path: Path) -> None:
    store, readme = tmp_path / "results", tmp_path / "README.md"
    add_photos(store)
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nend\n", encoding="utf-8")
    assert main([str(readme), str(store)]) == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"# Title\n\n{BEGIN}\n**photos**, 16x16x3 images of 16 levels, budget quick:")
    assert text.endswith(f"[results/report.md](results/report.md).\n{END}\n\nend\n")
    assert "old" not in text
    assert updated(readme, store) == text


def test_readme_without_markers_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("no markers", encoding="utf-8")
    with pytest.raises(UserError, match="results:begin"):
        with_results("no markers", "table")
    assert main([str(readme), str(tmp_path)]) == 2
    assert readme.read_text(encoding="utf-8") == "no markers"


def test_readme_of_this_repository_is_current() -> None:
    readme = ROOT / "README.md"
    assert readme.read_text(encoding="utf-8") == updated(readme, ROOT / "results", "quick"), (
        "run `python -m pixelbench.reports.readme README.md results quick`"
    )


@pytest.mark.slow
def test_report_of_the_committed_results_is_current(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(ROOT / "results", tmp_path / "results", ignore=shutil.ignore_patterns("work")))
    assert write_page(copy) == (ROOT / "results" / "report.md").read_text(encoding="utf-8"), "run `pixelbench report --results results`"


def test_reports_never_load_torch(tmp_path: Path) -> None:
    add_photos(tmp_path)
    program = (
        "import sys; from pathlib import Path\n"
        "from pixelbench.reports.report import build_report\n"
        "from pixelbench.reports.markdown import write_markdown\n"
        "import pixelbench.reports.terminal, pixelbench.reports.readme\n"
        f"write_markdown(build_report(Path({str(tmp_path)!r})))\n"
        "print([name for name in ('torch', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
