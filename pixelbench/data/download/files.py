"""Published files: each is at its place whole and verified, or not at all, and what came of it is never fetched twice."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from pixelbench.data.download.progress import ReportStep
from pixelbench.data.download.remote import Remote
from pixelbench.data.download.transfer import Part, TransferError, transfer
from pixelbench.data.whole import alone, md5_of, writing
from pixelbench.errors import UserError
from pixelbench.files.atomic import put_in_place

#: The environment variable that names a folder on a web server which holds the files of all tasks under their names.
MIRROR = "PIXELBENCH_MIRROR"
#: So many tries of one address in a row may bring nothing new.
FRUITLESS = 3
#: Seconds before the second of them; the third waits twice as long.
PAUSE = 1.0

#: Why the contents of a file are not the published ones, as a part of a sentence; None where they are.
Verify = Callable[[Path], str | None]


def download(remote: Remote, target: Path, report: ReportStep, *, verify: Verify | None = None) -> None:
    """Bring the file to `target`, unless it is there already. Whoever else wants it at once waits, and finds it there.

    Bytes are kept beside it, in `.part`, until they are all there and verified; a download that was interrupted goes on from them.

    Args:
        remote: what to fetch.
        target: the file; its folder is made. One whose contents are the wrong ones is replaced.
        report: is told how many bytes are there.
        verify: looks at the contents, beside or in place of the MD5.

    Raises:
        UserError: it cannot be had or written; `target` is then as it was.
        ValueError: neither an MD5 nor `verify` says what the right contents are.
    """
    if remote.md5 is None and verify is None:
        raise ValueError(f"{remote.name} has no MD5, so its contents need a function that verifies them")
    part = Part(target.with_name(f"{target.name}.part"))

    def fault(path: Path) -> str | None:
        if remote.md5 and (found := md5_of(path)) != remote.md5:
            return f"its MD5 is {found}, not {remote.md5}"
        return verify(path) if verify else None

    with alone(target.parent, report):
        if not target.is_file() or fault(target):
            _bring(remote, part, report, fault)
            with writing(target):
                put_in_place(part.path, target)
        with writing(target):
            part.delete()


def _bring(remote: Remote, part: Part, report: ReportStep, fault: Verify) -> None:
    """Leave the whole and verified file in `part`; the address that an earlier part is from comes first.

    Raises:
        UserError: no address has it.
    """
    if part.complete and fault(part.path) is None:
        return
    mirror = os.environ.get(MIRROR)
    urls = (f"{mirror.rstrip('/')}/{remote.name}",) if mirror else remote.urls
    origin = part.origin()
    failures = []
    for url in sorted(urls, key=lambda url: origin is None or url != origin.url):
        why = _from(url, remote.name, part, report, fault)
        if why is None:
            return
        failures.append(f"{url} ({why})")
    raise _refusal(remote.name, failures, part, mirrored=bool(mirror))


def _from(url: str, name: str, part: Part, report: ReportStep, fault: Verify) -> str | None:
    """Why the file cannot be had from this address, or None: `part` holds it. A part with wrong contents is deleted.

    Where they may be wrong because an earlier part is of another version of the file, it is fetched once more as a whole.
    """
    resumed = part.size > 0
    why = _patiently(url, name, part, report)
    if why is not None:
        return why
    why = fault(part.path)
    if why is None:
        return None
    with writing(part.path):
        part.delete()
    return _from(url, name, part, report, fault) if resumed else f"what came is damaged or another file: {why}; it was deleted"


def _patiently(url: str, name: str, part: Part, report: ReportStep) -> str | None:
    """Go on after a connection that broke or stalled, until tries in a row bring nothing new; why the file is not whole, or None."""
    furthest = fruitless = 0
    while True:
        try:
            transfer(url, part, name, report)
        except TransferError as error:
            fruitless = 0 if part.size > furthest else fruitless + 1
            furthest = max(furthest, part.size)
            if not error.again or fruitless == FRUITLESS:
                return str(error)
            time.sleep(PAUSE * fruitless)
        else:
            return None


def _refusal(name: str, failures: list[str], part: Part, *, mirrored: bool) -> UserError:
    only = f", the only place that {MIRROR} allows" if mirrored else ""
    kept = f"; the {part.size:,} bytes that came are kept, and the next try goes on from there" if part.size else ""
    return UserError(
        f"Could not get '{name}' from {' or '.join(failures)}{only}{kept}; try again, or put the file into '{part.path.parent}' yourself."
    )
