"""Mistakes that a user can mend: one clear sentence, exit code 2, never a traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """The message is the whole sentence that the user sees: what is wrong and what to do next."""


class NothingMatched(UserError):  # noqa: N818 (the name says what happened; it ends in exit code 3)
    """A selection such as `--only` that leaves nothing to look at."""


def first_line(error: BaseException) -> str:
    """What an error says, as a part of a sentence: its first line without a full stop, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """`Unknown task 'digit'. Did you mean 'digits'? Known: digits, photos.`"""
    names = sorted(known)
    near = nearest(name, names)
    hint = f" Did you mean '{near}'?" if near else ""
    return UserError(f"Unknown {kind} '{name}'.{hint} Known: {', '.join(names)}.")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, also where only its beginning was given: `gatd` → `gated-pixelcnn`; None if none is near."""
    likeness = {other: max(_likeness(name, other), 0.95 * _likeness(name, other[: len(name) + 1])) for other in sorted(known)}
    best = max(likeness, key=lambda other: likeness[other], default=None)
    return best if best is not None and likeness[best] >= 0.5 else None


def _likeness(one: str, other: str) -> float:
    """1 for equal names, 0 for names without a letter in common."""
    return difflib.SequenceMatcher(None, one, other).ratio()
