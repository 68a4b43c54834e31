"""Text on a terminal or in a pipe whose encoding does not have all of its characters: spelled with others, never a traceback."""

import codecs
import io
import json
import sys
from collections.abc import Callable

#: Of reports and tables; any other character becomes a question mark.
_SPELLED = {"█": "#", "░": "o", "·": ".", "…": "...", "×": "x", "–": "-", "—": "-", "→": "->", "≤": "<="}
_TEXT, _JSON = "pixelbench-text", "pixelbench-json"


def spell_out(*, as_json: bool) -> None:
    """From here on stdout takes any text, JSON with escapes that JSON itself has."""
    if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" or not isinstance(sys.stdout, io.TextIOWrapper):
        return
    codecs.register_error(_TEXT, lambda error: _replaced(error, lambda character: _SPELLED.get(character, "?")))
    codecs.register_error(_JSON, lambda error: _replaced(error, lambda character: json.dumps(character)[1:-1]))
    sys.stdout.reconfigure(errors=_JSON if as_json else _TEXT)


def _replaced(error: UnicodeError, spelled: Callable[[str], str]) -> tuple[str, int]:
    """The answer of an error handler of codecs: the text to write instead, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(spelled, error.object[error.start : error.end])), error.end
