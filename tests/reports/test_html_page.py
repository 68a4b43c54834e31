"""The HTML page as a file: whole, by itself, the same bytes each time, and of whatever a store holds."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pixelbench.cli.reproducing import reproductions_of
from pixelbench.reports.html.document import write_html
from pixelbench.reports.html.drawn.pictures import Pictures
from pixelbench.reports.html.drawn.scales import Scale, axis_around
from pixelbench.reports.html.variants import Reproduction
from pixelbench.reports.report import build_report
from pixelbench.store.record import Cost, Provenance, Request, Stretch
from tests.support.paper_runs import paper_spec
from tests.support.record_factory import add_digits, add_photos, add_run, add_seeds, add_spec, as_schema_1, folder_of

ROOT = Path(__file__).parents[2]


def write_page(store: Path, out: Path | None = None, reproductions: dict[str, Reproduction] | None = None) -> str:
    return write_html(build_report(store), out, reproductions).read_text(encoding="utf-8")


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    add_photos(tmp_path)
    page = write_page(tmp_path)
    assert set(re.findall(r'(?:href|src)="([^"]{0,5})', page)) <= {"data:", *(found for found in re.findall(r'href="(#[^"]{0,4})', page))}
    assert "http:" not in page.replace("http-equiv", "")
    assert "https:" not in page
    assert not (tmp_path / "report-files").exists()


def test_the_page_is_the_same_bytes_again(tmp_path: Path) -> None:
    add_photos(tmp_path)
    add_digits(tmp_path)
    assert write_page(tmp_path) == write_page(tmp_path, tmp_path / "elsewhere" / "page.html")


def test_the_update_that_validation_selected_stands_beside_the_updates(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.0, recipe={"select": "best-validation"}, selected_update=475)
    add_run(tmp_path, "gated-pixelcnn", 1.0)
    page = write_page(tmp_path)
    assert page.count('<td class="number">500, best 475</td>') == 1
    assert page.count('<td class="number">500</td>') == 1


def test_a_page_says_in_how_large_parts_a_batch_was_trained_on(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.0, provenance=Provenance("cpu", "5" * 64, micro_batch=16))
    add_run(tmp_path, "gated-pixelcnn", 1.0)
    assert write_page(tmp_path).count("<td>cpu, fp32, 1 thread, micro-batches of 16, no git checkout</td>") == 1
    assert write_page(tmp_path).count("micro-batch") == 1


def test_the_time_of_a_run_that_was_cut_off_is_that_of_all_its_attempts(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.0, cost=Cost(seconds=4.0, train_seconds=9.0, evaluate_seconds=2.0))
    assert build_report(tmp_path).tables[0].rows[0].seconds == 11.0
    assert write_page(tmp_path).count('<td class="number">11</td>') == 1


def test_a_page_says_what_of_a_training_was_done_elsewhere(tmp_path: Path) -> None:
    before = Stretch(7, "cuda (NVIDIA <H200>)", 2, compiled=True, git_commit="f" * 40, git_dirty=True), Stretch(1200)
    add_run(tmp_path, "pixelcnn", 1.0, provenance=Provenance("cpu", "5" * 64, earlier=before))
    said = (
        "<td>cpu, fp32, 1 thread, no git checkout; up to update 7 cuda (NVIDIA &lt;H200&gt;), 2 threads, compiled, commit ffffffffffff with"
    )
    said += " uncommitted changes; up to update 1,200 by a machine and code that its checkpoint does not name</td>"
    assert write_page(tmp_path).count(said) == 1


def test_each_picture_is_inside_once_however_often_it_is_shown(tmp_path: Path) -> None:
    add_photos(tmp_path)
    page = write_page(tmp_path)
    kept = re.findall(r'<image id="(picture-[0-9a-f]+)" href="data:image/png;base64,', page)
    shown = re.findall(r'<use href="#(picture-[0-9a-f]+)"', page)
    assert len(kept) == len(set(kept))
    assert set(shown) == set(kept)
    assert len(shown) > len(kept)


def test_a_leak_is_struck_out_and_never_sorted_as_a_likelihood(tmp_path: Path) -> None:
    add_photos(tmp_path)
    row = re.search(r'<tr data-category="leaking">.*?</tr>', write_page(tmp_path), re.DOTALL)
    assert row is not None
    assert 'data-order=""><s>0.0005</s><small class="leak">not causal</small>' in row[0]


def test_a_store_of_damage_still_gives_a_page_that_names_what_it_left_out(tmp_path: Path) -> None:
    add_run(tmp_path, "uniform", 4.0)
    keys = {"torn": '{"schema": 1, "run', "foreign": '{"name": "package", "version": "1"}', "old": json.dumps({"schema": 0})}
    for name, text in keys.items():
        folder = tmp_path / "photos" / name / "0123456789ab"
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(text, encoding="utf-8")
    page = write_page(tmp_path)
    problems = page.split('<section id="problems">')[1].split("</section>")[0]
    assert all(f"photos/{name}/0123456789ab/record.json" in problems for name in keys)
    assert problems.count("<li>") == 3
    assert "<strong>3</strong> problems" in page


@pytest.mark.parametrize("schema", [1, 2])
def test_damaged_artifacts_cost_only_themselves(tmp_path: Path, schema: int) -> None:
    folder = folder_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0))
    if schema == 1:
        as_schema_1(folder)
    (folder / "samples.png").write_bytes(b"no picture")
    (folder / "curve.csv").write_text("update,train_bits_per_dim,validation_bits_per_dim\nsoon,,\n", encoding="utf-8")
    (folder / "certificate.json").write_text("{", encoding="utf-8")
    page = write_page(tmp_path)
    assert '<tr data-category="ranked">' in page
    assert "1.000" in page
    assert "<image" not in page
    assert "<polyline" not in page
    problems = page.split('<section id="problems">')[1].split("</section>")[0]
    assert all(f"{folder / name} is " in problems for name in ("curve.csv", "certificate.json"))


def test_damaged_nats_cost_the_number_and_nothing_else(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0))
    (folder / "nats.npz").write_bytes(b"")
    page = write_page(tmp_path)
    assert '<tr data-category="unscored">' in page
    assert "<image" in page
    assert "<polyline" in page
    assert "so nothing backs its likelihood" in page.split('<section id="problems">')[1]


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    assert "No runs are stored here yet." in write_page(tmp_path)


def test_names_are_text_wherever_they_stand(tmp_path: Path) -> None:
    add_run(tmp_path, "uniform", 4.0, budget="<b>{{ 6 * 7 }}<|b>")
    page = write_page(tmp_path)
    assert "&lt;b&gt;{{ 6 * 7 }}&lt;|b&gt;" in page
    assert "<b>" not in page


def test_the_command_has_all_seeds_of_a_variant(tmp_path: Path) -> None:
    keys = [record.run_key for record in add_seeds(tmp_path, "pixelcnn", 1.0, 1.0, 1.0)]
    page = write_page(tmp_path, reproductions=dict.fromkeys(keys, Reproduction("pixelbench run --suite quick --only photos/pixelcnn")))
    assert "<code>pixelbench run --suite quick --only photos/pixelcnn --seeds 0,1,2</code>" in page
    assert "No suite that ships" in write_page(tmp_path)


def test_what_a_suite_assumes_and_where_it_departs_from_the_paper_is_said_once(tmp_path: Path) -> None:
    keys = [record.run_key for record in add_seeds(tmp_path, "pixelcnn", 1.0, 1.0)]
    page = write_page(
        tmp_path, reproductions=dict.fromkeys(keys, Reproduction("pixelbench run", ("Depth: <b>unsaid</b>.",), ("The last weights.",)))
    )
    assert page.count("<li>Depth: &lt;b&gt;unsaid&lt;/b&gt;.</li>") == page.count("<li>The last weights.</li>") == 1
    assert page.count("Said of the budget paper; this is quick") == 2
    assert "leaves unsaid" not in write_page(tmp_path)


def test_of_runs_that_two_suites_share_one_names_the_command_and_the_other_its_choices(tmp_path: Path) -> None:
    spec, made_by = paper_spec("gated-pixelcnn", budget="cpu"), Request("run", "mnist", "mnist-fixed", "cpu")
    add_spec(tmp_path, spec, 0.16, request=made_by)
    (reproductions,) = reproductions_of(build_report(tmp_path)).values()
    assert reproductions.command == "pixelbench run --suite mnist --only mnist-fixed/gated-pixelcnn --budget cpu"
    assert any("first layer" in said for said in reproductions.assumed)
    assert any("gated 1x1 layers" in said for said in reproductions.deviations)


def test_a_run_of_an_ablation_on_another_task_is_made_by_ablate(tmp_path: Path) -> None:
    made_by = Request("ablate", "colour-conditioning", "cifar10-16", "quick", limit=60)
    add_run(tmp_path, "gated-no-colour", 1.5, task="cifar10-16", settings={"colour_conditioning": False}, request=made_by)
    (reproductions,) = reproductions_of(build_report(tmp_path)).values()
    assert reproductions.command == "pixelbench ablate colour-conditioning --task cifar10-16 --budget quick --limit 60"


def test_a_run_of_the_first_schema_does_not_know_its_command(tmp_path: Path) -> None:
    as_schema_1(folder_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0)))
    assert reproductions_of(build_report(tmp_path)) == {}


def test_ablations_have_a_forest_plot_and_leaks_no_place_in_it(tmp_path: Path) -> None:
    def colours() -> str:
        return write_page(tmp_path).split('<section id="ablation-colour-conditioning"')[1].split("</section>")[0]

    add_photos(tmp_path)
    unknown = r'<svg class="whisker unclear" role="img" aria-label="Difference to the baseline \+0\.123 \([^)]*, images alone\)'
    assert re.search(unknown, colours())  # with one seed each nobody is better
    add_run(tmp_path, "gated-pixelcnn", 0.943, seed=1)
    assert re.search(r'<svg class="whisker more" role="img" aria-label="Difference to the baseline \+0\.123', colours())
    headings = re.findall("<th scope=.*?</th>", colours())
    (drawn,) = [place for place, heading in enumerate(headings) if 'class="plot"' in heading]
    assert headings[drawn - 1].endswith(">difference (95 %)</th>")  # and no column of samples is between the two
    first, second = re.findall("<tr data-category.*?</tr>", colours(), re.DOTALL)
    for row in (first, second):
        assert 'class="plot"' in re.findall("<t[hd][ >].*?</t[hd]>", row, re.DOTALL)[drawn]
    page = write_page(tmp_path)
    leak = page.split('<section id="ablation-first-layer-residual"')[1].split("</section>")[0]
    assert "whisker more" not in leak
    assert "whisker fewer" not in leak


def test_marks_of_an_axis_are_round_and_inside() -> None:
    assert Scale(0, 20).marks() == [(0.0, "0"), (25.0, "5"), (50.0, "10"), (75.0, "15"), (100.0, "20")]
    assert Scale(0.17, 0.43, 200).marks(3) == [(23.08, "0.2"), (100.0, "0.3"), (176.92, "0.4")]
    assert [label for _, label in Scale(-1500, 2600).marks()] == ["-1,000", "0", "1,000", "2,000"]
    alone = axis_around([80.0])
    assert alone.low < 80 < alone.high
    assert Scale(0, 1).at(7) == 100


def test_pictures_are_told_from_other_files(tmp_path: Path) -> None:
    pictures = Pictures()
    assert pictures.add(b"GIF89a" + bytes(40), "") is None
    assert pictures.add_file(tmp_path / "nothing.png", "") is None
    assert pictures.held == []


@pytest.mark.slow
def test_the_page_loads_no_torch(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 0.16, task="mnist-fixed")
    program = (
        "import sys; from pathlib import Path\n"
        "from pixelbench.reports.report import build_report\n"
        "from pixelbench.reports.html.document import write_html\n"
        f"write_html(build_report(Path({str(tmp_path)!r})))\n"
        "print([name for name in ('torch', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_page_of_the_committed_results_stays_small(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(ROOT / "results", tmp_path / "results", ignore=shutil.ignore_patterns("work")))
    assert len(write_page(copy)) < 4_000_000
