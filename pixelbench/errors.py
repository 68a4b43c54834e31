"""Errors that a user can fix: one clear sentence, exit code 2, never a traceback."""

import difflib
from collections.abc import Iterable, Sequence

#: Names that are listed, or compared, are so many at most.
_MOST_LISTED, _MOST_COMPARED = 100, 500
#: Characters of a name that is still compared with others.
_LONGEST = 100
#: Of likenesses from 0 to 1, the least with which a name may have been meant.
_NEAR = 0.5


class UserError(Exception):
    """The message is the whole sentence that the user sees: what is wrong and what to do next."""


class NothingMatched(UserError):  # noqa: N818 (the name says what happened; it ends in exit code 3)
    """A selection such as `--only` that leaves nothing to look at."""


class MissingWeights(UserError):  # noqa: N818 (as above)
    """Of a stored run, whose model cannot be had for that."""


def first_line(error: BaseException) -> str:
    """An error's message as a part of a sentence: its first line without a full stop, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def shortened(text: str, most: int = 80) -> str:
    """The text on one line of at most so many characters, as a part of a sentence."""
    if len(text) <= most and text.isprintable():
        return text
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 3]}..."


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """`Unknown task 'digit'. Did you mean 'digits'? Known: digits, photos.`"""
    names = sorted(known)
    near = nearest(name, names)
    hint = f" Did you mean '{near}'?" if near else ""
    more = f" and {len(names) - _MOST_LISTED:,} more" if len(names) > _MOST_LISTED else ""
    return UserError(f"Unknown {kind} '{shortened(name)}'.{hint} Known: {', '.join(names[:_MOST_LISTED])}{more}.")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, also where only its beginning was given: `gatd` → `gated-pixelcnn`; None if none is near.

    A name longer than any that there is was no slip of the pen, and the time to compare grows with the square of the length.
    """
    if len(name) > _LONGEST:
        return None
    compared = sorted(known)[:_MOST_COMPARED]
    likeness = {other: max(_likeness(name, other), 0.95 * _likeness(name, other[: len(name) + 1])) for other in compared}
    best = max(likeness, key=lambda other: likeness[other], default=None)
    return best if best is not None and likeness[best] >= _NEAR else None


def _likeness(one: str, other: str) -> float:
    """1 for equal names, 0 for names that are far from each other."""
    matcher = difflib.SequenceMatcher(None, one, other)
    return matcher.ratio() if matcher.real_quick_ratio() >= _NEAR and matcher.quick_ratio() >= _NEAR else 0.0


def video_shape(shape: Sequence[int]) -> UserError:
    """How a video is checked, which has no shape of its own here."""
    sizes = ",".join(map(str, shape))
    return UserError(
        f"A video of shape {sizes}, (T, C, H, W), is checked as an image of its frames one below another: shape C,T*H,W, and a function "
        "`lambda x: model(x.unflatten(2, (T, H)).movedim(2, 1))` whose output is put together in the same way."
    )
