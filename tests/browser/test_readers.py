"""Readers of the page: four questions answered at once, letters that can be read, a keyboard, narrow screens, and things to take away."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pixelbench.reports.html.document import write_html
from pixelbench.reports.html.variants import Reproduction
from pixelbench.reports.report import build_report
from tests.browser.browser_page import Open
from tests.support.certificate_factory import certificate, certificate_file
from tests.support.paper_runs import paper_spec
from tests.support.record_factory import add_photos, add_run, add_spec

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHECKS = (Path(__file__).parent / "checks.js").read_text(encoding="utf-8")


def wrong(page: "Page", check: str) -> list[str]:
    """What one of the checks finds, with everything that can be folded open."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.wait_for_timeout(100)  # until all boxes were looked at
    return page.evaluate(f"() => {{ {CHECKS}; return {check}(); }}")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with what the four questions ask for."""
    store = tmp_path_factory.mktemp("store")
    add_photos(store)
    add_run(store, "gated-pixelcnn", 0.95, seed=1, files={"certificate.json": certificate_file(certificate(shape=(3, 4, 4)))})
    spec = paper_spec("gated-pixelcnn", budget="cpu")
    add_spec(store, spec, 0.1611)
    for seed in range(3):
        add_run(store, "fvsbn", 0.18, task="mnist-fixed", seed=seed)
    report = build_report(store)
    keys = {run.key: Reproduction("pixelbench run --suite quick") for cell in report.cells for run in cell.runs}
    return write_html(report, reproductions=keys)


def test_four_questions_are_answered_on_the_first_screen_or_one_click_away(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file, width=1300)
    answers = page.locator(".answer")
    for said in ("reproduced", "No undeclared leak; 1 variant leaks by design", "pixelbench run --suite quick", "Colour conditioning +0.1"):
        box = answers.filter(has_text=said).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900
    page.get_by_role("link", name="Every model with its certificate").click()
    causality = page.locator("#causality")
    assert "not causal: gated-residual" in " ".join(causality.inner_text().replace("✕", "").split())
    assert "no leak found: pixelcnn" in " ".join(causality.inner_text().replace("●", "").split())
    page.get_by_role("link", name="Colour conditioning").first.click()
    place = page.locator("#ablation-colour-conditioning").bounding_box()
    assert place is not None
    assert 0 <= place["y"] < 450
    page.get_by_role("link", name="How do I run this again?").click()
    assert page.locator("#again").get_by_text("pixelbench run --suite quick").first.is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(open_page: Open, page_file: Path, scheme: str) -> None:
    page = open_page(page_file, color_scheme=scheme)
    assert wrong(page, "faint") == []
    page.evaluate("document.querySelector('h1').style.color = getComputedStyle(document.body).backgroundColor")
    assert wrong(page, "faint") == ["Is it really causal, and does it really "]


def test_everything_has_a_name_and_headings_skip_no_level(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    assert wrong(page, "nameless") == []
    page.evaluate("document.querySelector('.answer').append(document.createElement('button'))")
    assert wrong(page, "nameless") == ["<button></button>"]


@pytest.mark.parametrize("width", [1300, 800, 400])
def test_nothing_is_cut_off_without_a_word(open_page: Open, page_file: Path, width: int) -> None:
    page = open_page(page_file, width=width)
    assert wrong(page, "cutOff") == []
    page.evaluate("document.querySelector('main').style.minWidth = '2000px'")
    assert "the page" in wrong(page, "cutOff")


def test_a_table_that_goes_on_says_so(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file, width=400)
    assert page.locator(".scroll[data-more]").count() > 0
    page.evaluate("document.querySelectorAll('.scroll').forEach((one) => one.replaceWith(one.cloneNode(true)))")
    page.evaluate("document.querySelectorAll('.scroll').forEach((one) => one.removeAttribute('data-more'))")
    assert wrong(page, "cutOff") != []


def test_a_picture_opens_in_full_with_the_keyboard_and_gives_the_focus_back(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    thumb = page.locator("table.results a.thumb").first
    thumb.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert dialog.locator("svg use").count() == 1
    assert dialog.locator("svg").get_attribute("viewBox") == thumb.get_attribute("data-whole")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.className") == "thumb"


def rows(page: "Page") -> list[str]:
    table = page.locator("[id='task/photos/table']")
    return [text.split("\n")[0] for text in table.locator("tbody th:visible").all_inner_texts()]


def test_an_address_carries_the_view_of_a_table(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    task = page.locator("[id='task/photos']")
    task.get_by_label("Filter").fill("gated")
    task.get_by_role("button", name="seconds").click()
    task.get_by_role("button", name="seconds").click()
    fragment, shown = page.evaluate("location.hash"), rows(page)
    assert fragment == "#task/photos/table?filter=gated&sort=seconds&down=1"
    again = open_page(page_file)
    again.evaluate("(one) => { location.hash = one; }", fragment)
    again.wait_for_function("document.querySelector('th[aria-sort=descending]')")
    assert rows(again) == shown
    assert task.locator("output").inner_text() == again.locator("[id='task/photos'] output").inner_text()
    again.evaluate("location.hash = '#task/photos/table?filter=%3Cimg%20src%3Dx%3E&show=nothing&sort=nothing'")
    again.wait_for_function("document.querySelector('[id=\"task/photos\"] output').textContent.startsWith('0 of')")


def taken(page: "Page", button: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).first.click()
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_tables_and_drawings_are_taken_away_as_files(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    lines = list(csv.reader(io.StringIO(taken(page, "CSV: Results on photos"))))
    assert lines[0][:4] == ["#", "#, shown", "variant", "bits/dim"]
    assert {line[2]: line[3] for line in lines[1:]}["gated-residual"] == ""
    assert len({len(line) for line in lines}) == 1
    table = taken(page, "LaTeX: Results on photos")
    assert table.count(r"\\") == len(lines)
    assert "gated-residual" in table
    assert "±" not in table
    drawn = taken(page, "SVG: Published and measured")
    assert drawn.startswith("<svg")
    assert "<circle" in drawn
    assert "href" not in drawn
    assert taken(page, "CSV: curves-photos").startswith("variant,update,train,validation\n")
    assert r"\addplot" in taken(page, "LaTeX: curves-photos")
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG: curves-photos").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_commands_and_citations_are_copied(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file, permissions=["clipboard-read", "clipboard-write"])
    page.locator(".answer").get_by_role("button", name="Copy pixelbench run").click()
    page.wait_for_function("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Copied')")
    assert page.evaluate("navigator.clipboard.readText()").startswith("pixelbench run --suite quick")
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    cited = page.locator("[id='variant/mnist-fixed/gated-pixelcnn'] .cite pre").inner_text()
    assert "@misc{pixelbench-" in cited
    assert "10.48550/arXiv." in cited


def test_links_lead_to_the_papers_and_nothing_is_fetched(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    links = page.locator("#published a[href^='https://']").evaluate_all("(all) => all.map((one) => one.href)")
    assert links
    assert all(link.startswith(("https://arxiv.org/abs/", "https://proceedings.mlr.press/")) for link in links)
    policy = page.locator("meta[http-equiv]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
