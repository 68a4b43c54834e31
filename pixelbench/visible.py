"""Text from stores and other people's modules is shown, never obeyed: control and direction characters become visible escapes."""

import json
import re

#: Control characters but line ends and tabs, those that turn the direction of what follows, and halves of surrogate pairs.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with each control, direction or unpaired surrogate character as its escape; line ends and tabs stay."""
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def visible_json(document: str) -> str:
    """The JSON text with each such character as JSON's own escape, so that it holds the same values."""
    return _OBEYED.sub(lambda found: json.dumps(found[0])[1:-1], document)
