"""The HTML page in a real browser: sorting, filtering, colours, keyboard, paper, narrow screens, and names that mean harm."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pixelbench.reports.html.document import write_html
from pixelbench.reports.report import build_report
from pixelbench.store.record import Diagnosis, Record, RunError
from tests.browser.browser_page import Open
from tests.support.paper_runs import paper_spec
from tests.support.record_factory import add_digits, add_photos, add_run, add_spec, ask, folder_of, rewrite

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

#: In texts, and in names, which have no stroke and at most 255 characters.
HOSTILE = "<script>alert(1)</script>\"'{{ 7*7 }}{% x %}</style><img src=x onerror=alert(2)>" + "W" * 300
NAME = HOSTILE.replace("/", "|")[:200]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    add_photos(folder)
    add_digits(folder)
    add_spec(folder, paper_spec("gated-pixelcnn", budget="cpu"), 0.1611)
    return folder


@pytest.fixture(scope="module")
def page_file(store: Path) -> Path:
    return write_html(build_report(store))


def column(page: "Page", title: str, table: int = 0) -> list[str]:
    """The texts of a column, in the order in which they stand."""
    return page.evaluate(
        """([title, number]) => {
            const table = document.querySelectorAll("table[data-sortable]")[number];
            const index = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === title);
            return [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[index].textContent.trim());
        }""",
        [title, table],
    )


def photos(page: "Page") -> "Locator":
    return page.locator("section.task", has=page.get_by_role("heading", name="photos", exact=True))


def test_a_heading_sorts_by_number_and_leaks_never_come_first(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    heading = photos(page).get_by_role("button", name="bits/dim")
    position = page.locator("table[data-sortable]").count() - 1
    heading.click()
    names = column(page, "variant", position)
    assert names == ["gated-pixelcnn", "pixelcnn", "gated-no-colour", "png", "histogram", "uniform", "gated-residual"]
    assert photos(page).locator("th[aria-sort=ascending]").text_content() == "bits/dim"
    heading.click()
    assert column(page, "variant", position) == [*reversed(names[:-1]), "gated-residual"]
    assert photos(page).locator("tfoot").inner_text().split("\t")[1] == "real test images"


def test_numbers_are_not_sorted_as_texts(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    position = page.locator("table[data-sortable]").count() - 1
    photos(page).get_by_role("button", name="seconds").click()
    seconds = [float(text) for text in column(page, "seconds", position)]
    assert seconds == sorted(seconds)


def test_rows_are_filtered_by_words_and_by_kind(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    task, position = photos(page), page.locator("table[data-sortable]").count() - 1
    task.get_by_label("Filter").fill("GATED no")
    assert column(page, "variant", position) == ["gated-pixelcnn", "gated-no-colour", "gated-residual"]
    assert task.locator("output").text_content() == "3 of 7 rows"
    task.get_by_label("Show").select_option(label="not causal")
    assert column(page, "variant", position) == ["gated-residual"]
    task.get_by_label("Filter").fill("")
    task.get_by_label("Show").select_option(label="everything")
    assert task.locator("output").text_content() == "7 rows"


@pytest.mark.slow
def test_of_very_many_rows_the_first_are_shown_until_all_are_asked_for(open_page: Open, tmp_path: Path) -> None:
    for i in range(210):
        add_run(tmp_path, f"net-{i}", 3 - i / 100, settings={"layers": i + 1})
    file = write_html(build_report(tmp_path))
    page = open_page(file)

    def shown(page: "Page") -> int:
        return page.locator("table[data-sortable] tbody tr:visible").count()

    output = page.locator("output")
    assert (shown(page), output.text_content()) == (200, "200 of 210 rows")
    page.get_by_role("button", name="bits/dim").click()
    page.get_by_role("button", name="bits/dim").click()
    assert page.locator("table[data-sortable] tbody tr:visible th").first.inner_text() == "net-0"  # the worst, which was not shown
    page.get_by_label("Filter").fill("net-20")
    assert (shown(page), output.text_content()) == (11, "11 of 210 rows")
    page.get_by_label("Filter").fill("")
    assert shown(page) == 200
    page.emulate_media(media="print")
    assert shown(page) == 210
    page.emulate_media(media="screen")
    page.get_by_role("button", name="Show all 210 rows").click()
    assert (shown(page), output.text_content()) == (210, "210 rows")
    assert page.get_by_role("button", name="Show all").count() == 0
    assert shown(open_page(file, java_script_enabled=False)) == 210


def test_colours_follow_the_system_until_the_switch_says_otherwise(open_page: Open, page_file: Path) -> None:
    def ground(page: "Page") -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = open_page(page_file, color_scheme="light"), open_page(page_file, color_scheme="dark")
    assert ground(light) != ground(dark)
    light.get_by_role("button", name="Dark").click()
    assert ground(light) == ground(dark)
    assert light.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"
    light.get_by_role("button", name="Auto").click()
    assert ground(light) != ground(dark)


def test_everything_can_be_reached_with_the_keyboard(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    position = page.locator("table[data-sortable]").count() - 1
    photos(page).get_by_role("button", name="variant").focus()
    page.keyboard.press("Enter")
    assert column(page, "variant", position)[0] == "gated-no-colour"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    photos(page).get_by_role("link", name="gated-residual").press("Enter")
    page.wait_for_function("document.activeElement.tagName === 'SUMMARY'")
    assert photos(page).locator("details.variant[open] .name").all_inner_texts() == ["gated-residual"]
    page.keyboard.press("Space")
    assert photos(page).locator("details.variant[open]").count() == 0


def test_tables_and_drawings_speak(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    mute = page.evaluate(
        """() => [
            ...[...document.querySelectorAll("svg")].filter((one) => !one.closest("[aria-hidden]") && !one.getAttribute("aria-label")),
            ...[...document.querySelectorAll("thead th")].filter((one) => one.scope !== "col"),
            ...[...document.querySelectorAll("tbody th")].filter((one) => one.scope !== "row"),
            ...[...document.querySelectorAll("input, select")].filter((one) => !one.closest("label")),
        ].map((one) => one.outerHTML.slice(0, 120))"""
    )
    assert mute == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    targets = page.evaluate("[...document.querySelectorAll('a[href], use')].map((one) => one.getAttribute('href'))")
    inner = [target for target in targets if not target.startswith("https://")]  # papers and documentation lie elsewhere
    broken = [target for target in inner if target[:1] != "#" or target[1:] not in ids]
    assert broken == []


def test_published_figures_stand_beside_what_was_measured(open_page: Open, page_file: Path) -> None:
    published = open_page(page_file).locator("#published")
    row = published.locator("tbody tr", has_text="80.10").first
    assert "incomplete" in row.inner_text()
    said = row.get_by_role("img").get_attribute("aria-label") or ""
    assert said.startswith("published 80.10, tolerance ± 0.505, measured 87.5")


def test_a_narrow_screen_scrolls_down_only(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file, width=360)
    page.get_by_role("button", name="Open all").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_paper_shows_what_is_folded_away(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_very_many_variants_open_one_by_one_and_all_on_paper(open_page: Open, tmp_path: Path) -> None:
    for layers in range(61):
        spec = ask(f"<|script><b>{layers}", settings={"layers": layers})
        add_spec(tmp_path, replace(spec, settings={**spec.settings, "note": "</script><b>"}), 1.0 + layers / 100)
    page = open_page(write_html(build_report(tmp_path)))
    assert page.locator("details.variant .body").count() == 0
    page.locator("details.variant summary").first.click()
    page.wait_for_selector("details.variant .body")
    assert "</script><b>" in page.locator("details.variant .listing").first.inner_text()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.variant .body").count() == 61
    assert page.locator("main b").count() == 0


def test_the_page_is_read_without_its_script(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file, java_script_enabled=False)
    assert photos(page).get_by_role("link", name="gated-pixelcnn").is_visible()
    assert not page.get_by_label("Filter").first.is_visible()
    assert not page.get_by_role("button", name="Dark").is_visible()


def harmful(record: Record) -> Record:
    """With harm in every text that a record can hold, and the key of what it then says."""
    record = replace(
        record,
        task=replace(record.task, name=NAME, preprocessing=HOSTILE),
        variant=replace(record.variant, name=NAME, settings={**record.variant.settings, HOSTILE: HOSTILE}),
        budget=replace(record.budget, name=NAME),
        diagnoses=(Diagnosis(HOSTILE, HOSTILE),),
        provenance=replace(record.provenance, versions={HOSTILE: HOSTILE}, device=HOSTILE),
    )
    return replace(record, run_key=record.spec.key)


def test_names_that_mean_harm_are_only_text(open_page: Open, tmp_path: Path) -> None:
    add_run(tmp_path, "uniform", 4.0, noise=0.0)
    evil = add_run(tmp_path, "evil", 1.0)
    failed = add_run(tmp_path, "failed", status="failed", settings={"layers": 4}, error=RunError(HOSTILE, HOSTILE, (HOSTILE,)))
    doubtful = add_run(tmp_path, "doubtful", 1.0, settings={"layers": 5})
    for record in (evil, failed):
        rewrite(folder_of(tmp_path, record), harmful)
    rewrite(folder_of(tmp_path, doubtful), lambda record: replace(harmful(record), error=RunError(HOSTILE, HOSTILE)))
    report = build_report(tmp_path)
    assert [table.task for table in report.tables] == [NAME, "photos"]
    assert [row.rank for row in report.tables[0].rows] == [1, None, None]
    page = open_page(write_html(report), width=390)
    page.get_by_role("button", name="Open all").first.click()
    assert page.locator("main script, main img, main style").count() == 0
    assert page.get_by_role("link", name=NAME).count() >= 1
    assert NAME in page.locator("h2").all_text_contents()
    assert HOSTILE in page.locator("main").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
