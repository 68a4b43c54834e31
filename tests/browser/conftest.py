"""A real Chromium, the system's own, and pages opened in it as somebody opens a file."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.browser_page import Open

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: What the program may be called.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    """The browser, once for all tests."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: `apt-get install chromium`")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: `pip install playwright`")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: "Browser") -> Iterator[Open]:
    """Opens a file; any message of the console, any fault of the script and any request to elsewhere fails the test at its end."""
    complaints: list[str] = []
    contexts = []

    def opened(path: Path, *, width: int = 1280, **options: Any) -> "Page":
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: None if request.url == path.as_uri() else complaints.append(f"request: {request.url[:80]}"))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [complaint for complaint in complaints if not complaint.startswith("request: data:")] == []
