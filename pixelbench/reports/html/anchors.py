"""Ids of a page's sections, made of names alone, so that a link to one holds when rows are added."""

import hashlib

from pixelbench.reports import escape

#: Letters of a name that an id shows.
_SHOWN = 60


def anchor(kind: str, *names: str) -> str:
    """`task/photos`, `variant/photos/gated-pixelcnn`; a name that cannot stand there whole has a digest behind it."""
    return "/".join([kind, *map(_part, names)])


def choice_anchor(name: str) -> str:
    """The section of a design choice: `ablation-colour-conditioning`."""
    return f"ablation-{_part(name)}"


def _part(name: str) -> str:
    shown = escape.file_name(name)[:_SHOWN]
    return shown if shown == name else f"{shown}-{hashlib.sha256(ascii(name).encode()).hexdigest()[:8]}"
