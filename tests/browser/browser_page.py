"""What the browser's fixture gives."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: A file, the width of the window, and options of the browser's context → the page, opened.
Open = Callable[..., "Page"]
