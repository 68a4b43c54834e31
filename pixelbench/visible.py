"""Text from stores and other people's modules is shown, never obeyed: control and direction characters become visible escapes."""

import json
import unicodedata

#: Characters that turn the direction of what follows, or hide in it.
_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def visible(text: str) -> str:
    """The text with each control, direction or unpaired surrogate character as its escape; line ends and tabs stay."""
    if text.isprintable():  # no control, format or surrogate character
        return text
    return "".join(character if _is_harmless(character) else ascii(character)[1:-1] for character in text)


def visible_json(document: str) -> str:
    """The JSON text with each such character as JSON's own escape, so that it holds the same values."""
    if document.isascii():
        return document  # the writer of JSON has escaped the rest
    return "".join(character if _is_harmless(character) else json.dumps(character)[1:-1] for character in document)


def _is_harmless(character: str) -> bool:
    if character in "\n\t":
        return True
    if unicodedata.category(character) in ("Cc", "Cs"):
        return False
    return unicodedata.bidirectional(character) not in _DIRECTIONS and character not in "\u200e\u200f\u061c"
