"""Mistakes that a user can mend: one clear sentence, exit code 2, never a traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """The message is the whole sentence that the user sees: what is wrong and what to do next."""


class NothingMatched(UserError):  # noqa: N818 (the name says what happened; it ends in exit code 3)
    """A selection such as `--only` that leaves nothing to look at."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """`Unknown task 'digit'. Did you mean 'digits'? Known: digits, photos.`"""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UserError(f"Unknown {kind} '{name}'.{hint} Known: {', '.join(names)}.")
