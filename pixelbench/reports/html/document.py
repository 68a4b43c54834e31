"""`report.html`: one file that holds everything, needs no network, and is read with eyes, ears or a keyboard."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pixelbench.analysis import format as words
from pixelbench.files.atomic import write_text
from pixelbench.reports.html.about import how_to_read, provenance_rows, terms_of
from pixelbench.reports.html.page import Page, page_of
from pixelbench.reports.html.sources import address, doi
from pixelbench.reports.html.variants import Reproduction
from pixelbench.reports.quality_text import quality_grid
from pixelbench.reports.report import Report
from pixelbench.reports.speed_section import speed_html
from pixelbench.visible import visible

#: The page's own style and script, inside it, room by room: later rules outweigh earlier ones, and `start` calls what stands before it.
_STYLE = ("colours", "page", "headline", "tables", "drawings", "variants", "narrow", "print")
_SCRIPT = ("tables", "links", "sections", "pictures", "files", "taking", "start")


def write_html(report: Report, out: Path | None = None, reproductions: Mapping[str, Reproduction] | None = None) -> Path:
    """Write the page, whole or not at all; returns its path.

    Args:
        report: what to show.
        out: where the page goes; `report.html` in the store if left out.
        reproductions: run key → what a suite says of the run, where one is known.
    """
    path = out or report.store / "report.html"
    write_text(path, html_of(report, reproductions or {}))
    return path


def html_of(report: Report, reproductions: Mapping[str, Reproduction]) -> str:
    """The page. Whatever a record says appears as text: everything is escaped, and the page may run no script but its own."""
    page: Page = page_of(report, reproductions)
    terms = how_to_read(report)

    def explained(titles: list[str]) -> list[tuple[str, str]]:
        return terms_of(titles, terms)

    about = {"terms": terms, "explained": explained, "provenance": provenance_rows(report), "speed": speed_html(report.store)}
    return rendered("report.html.j2", page=page, report=report, **about)


def rendered(template: str, **values: object) -> str:
    """A template with the page's own style and script in it, and the hashes by which its security policy knows these."""
    style, script = _inside("style", _STYLE, "css"), _inside("script", _SCRIPT, "js")
    own = {"style": style, "script": script, "style_digest": _digest(style), "script_digest": _digest(script)}
    return _environment().get_template(template).render(**values, **own)


@cache
def _environment() -> Environment:
    """Templates that escape always; a name that a template misspells is an error."""
    environment = Environment(
        loader=PackageLoader("pixelbench.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, address=address, doi=doi, quality_grid=quality_grid)
    environment.finalize = _shown
    return environment


def _shown(value: object) -> object:
    """A value on the page: text without characters that turn the direction of the text around it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _inside(folder: str, rooms: tuple[str, ...], suffix: str) -> Markup:
    """The files of a folder as one text."""
    templates = files("pixelbench.reports").joinpath("templates", folder)
    return Markup("\n".join(templates.joinpath(f"{name}.{suffix}").read_text(encoding="utf-8") for name in rooms))


def _digest(text: str) -> str:
    """The hash by which the page's security policy knows its own style and script."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
