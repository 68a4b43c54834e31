"""Text from a store as Markdown: whatever a record says, it cannot change the page around it."""

import hashlib
import html
import re
from urllib.parse import quote

from pixelbench.visible import visible

#: What GitHub's Markdown gives a meaning anywhere in running text or in a table cell.
_ANYWHERE = re.compile(r"([\\`*_\[\]|~$])")
#: What would begin a heading or a list at the start of a line: `# `, `- `, `1. `.
_AT_START = re.compile(r"^(\d*)([#+\-.)])(?=[#\-\s]|$)")

#: Whom GitHub would tell of a comment; a space of no width behind the sign prevents it.
_MENTION = re.compile(r"@(?=\w)")
#: Letters of a part of a file's name, so that a whole name never has more than the 255 that file systems take.
_LONGEST = 80


def text(value: str) -> str:
    """One line of plain text. HTML passes through Markdown, so `<` and `&` become entities."""
    line = _ANYWHERE.sub(r"\\\1", html.escape(visible(" ".join(value.split())), quote=False))
    return _AT_START.sub(r"\1\\\2", _MENTION.sub("@&#8203;", line))


def link(path: str) -> str:
    """A relative POSIX path as a link's target."""
    return quote(path, safe="/-_.~")


def file_name(value: str) -> str:
    """A name as a part of a file's: `cifar10-16`, `imagenet32-digest-0123456789ab`."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", value).strip("-.")
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}-{hashlib.sha256(ascii(value).encode()).hexdigest()[:8]}"


def block(value: str) -> str:
    """A code block whose fence is longer than any run of backticks within it."""
    longest = max((len(run) for run in re.findall(r"`+", value)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{visible(value.rstrip())}\n{fence}"


def table(titles: list[str], right: list[bool], rows: list[list[str]]) -> str:
    """A table; cells must be escaped already."""
    lines = [titles, ["---:" if flag else "---" for flag in right], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
