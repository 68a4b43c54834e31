"""One request for a file over HTTP, which goes on where an earlier one ended."""

import http.client
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib import request
from urllib.error import HTTPError
from urllib.parse import urlsplit

from pixelbench.data.download.progress import DownloadStep, ReportStep
from pixelbench.data.whole import said, writing

#: Seconds without a byte after which a connection counts as dead.
STALL = 30.0
CHUNK = 1 << 18
AGENT = "pixelbench"


class TransferError(Exception):
    """Why a file did not come, as a part of a sentence. `again`: the same request may get further."""

    def __init__(self, why: str, *, again: bool = False) -> None:
        super().__init__(why)
        self.again = again


@dataclass(frozen=True)
class Origin:
    """Where the bytes of a part are from: address, the server's strong mark of this version of the file, length in bytes."""

    url: str
    mark: str | None
    total: int | None


@dataclass(frozen=True)
class Part:
    """The bytes that came so far, in `path`, and beside it a note that says where from."""

    path: Path

    @property
    def size(self) -> int:
        """Bytes so far; 0 where there is no part."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def complete(self) -> bool:
        """Whether all bytes are there, as far as the server said how many they are. They may be the wrong ones."""
        origin = self.origin()
        return origin is not None and origin.total is not None and self.size == origin.total

    def origin(self) -> Origin | None:
        """None where no readable note is there."""
        try:
            return Origin(**json.loads(self._note.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, origin: Origin) -> None:
        """Start again. The old bytes go before the new note comes: a kill in between leaves nothing that could be gone on with."""
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps(asdict(origin)))

    def delete(self) -> None:
        """Remove both files."""
        self.path.unlink(missing_ok=True)
        self.delete_note()

    def delete_note(self) -> None:
        """Remove the note, for when the bytes have been given their final name."""
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.origin")


def transfer(url: str, part: Part, name: str, report: ReportStep) -> None:
    """Append to `part` what is missing of the file at `url`; from the start where the part is of another address or version.

    Args:
        url: an http or https address; redirects are followed, to such addresses only.
        part: what came so far; whatever comes is in it at once, so that a kill loses nothing.
        name: what `report` calls the file.
        report: is told after each block.

    Raises:
        TransferError: the file did not come whole; what came is kept where it can be gone on with.
        UserError: the part cannot be written.
    """
    _ensure_web_address(url)
    origin = part.origin()
    requested = origin if origin and origin.url == url and part.size else None
    with _network(part):
        response = _opener().open(_request(url, part.size, requested), timeout=STALL)
    with response:
        total = _begun(response, url, part, requested)
        _receive(response, part, lambda: report(DownloadStep(name, part.size, total, "bytes")))
    if total is not None and part.size < total:
        raise TransferError(f"the connection ended after {part.size:,} of {total:,} bytes", again=True)


def _ensure_web_address(url: str) -> None:
    try:
        address = urlsplit(url)
        usable = address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise TransferError("this is no http or https address")


@contextmanager
def _network(part: Part) -> Iterator[None]:
    """Turn an error of the connection into a `TransferError`. A part that the server finds too long is deleted."""
    try:
        yield
    except HTTPError as error:
        error.close()
        if error.code == _TOO_LONG:
            part.delete()
        line = f"HTTP {error.code} {error.reason}".splitlines()[0].rstrip(". ")
        raise TransferError(line, again=error.code in (_TOO_LONG, *_BUSY)) from None
    except (OSError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, TimeoutError):
            raise TransferError(f"nothing came for {STALL:g} seconds", again=True) from None
        again = isinstance(cause, ConnectionError | http.client.IncompleteRead) and not isinstance(cause, ConnectionRefusedError)
        raise TransferError(said(cause) if isinstance(cause, BaseException) else str(cause), again=again) from None


_TOO_LONG = 416
#: What a server says that may well answer a moment later.
_BUSY = (408, 425, 429, 500, 502, 503, 504)


def _opener() -> request.OpenerDirector:
    """Http and https alone: the usual opener would follow a redirect to ftp."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
        request.HTTPDefaultErrorHandler,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _request(url: str, size: int, requested: Origin | None) -> request.Request:
    """Ask for what follows the first `size` bytes of `requested`, or for the whole where that is another file by now."""
    headers = {"User-Agent": AGENT}
    if requested:
        headers["Range"] = f"bytes={size}-"
        if requested.mark:
            headers["If-Range"] = requested.mark
    return request.Request(url, headers=headers)


def _begun(response: http.client.HTTPResponse, url: str, part: Part, requested: Origin | None) -> int | None:
    """Make `part` ready for what the response holds; the length of the whole file, None where the server does not say it."""
    if response.status == 200:
        origin = Origin(url, _mark(response), response.length)
        with writing(part.path):
            part.begin(origin)
        return origin.total
    if requested and response.status == 206 and _goes_on(response.headers.get("Content-Range", ""), part.size, requested.total):
        return requested.total
    part.delete()
    raise TransferError(f"the server did not send what was asked for (HTTP {response.status})", again=requested is not None)


def _mark(response: http.client.HTTPResponse) -> str | None:
    """The mark of this version of the file byte for byte: a weak ETag does not."""
    tag = response.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _goes_on(content_range: str, start: int, total: int | None) -> bool:
    """Whether the response begins at `start` and is of a file of `total` bytes."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range.strip())
    return found is not None and int(found[1]) == start and (total is None or found[2] in ("*", str(total)))


def _receive(response: http.client.HTTPResponse, part: Part, came: Callable[[], None]) -> None:
    """Write each block at once and unbuffered, as it comes, and then call `came`."""
    with writing(part.path):
        file = part.path.open("ab", buffering=0)
    with file:
        while True:
            with _network(part):
                block = memoryview(response.read1(CHUNK))
            if not block:
                return
            with writing(part.path):
                while block:
                    block = block[file.write(block) :]
            came()
