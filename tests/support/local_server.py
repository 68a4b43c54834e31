"""A web server on this machine that can do everything wrong that real ones do, and notes what it was asked for."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

#: Seconds after which a test that went wrong stops waiting.
GIVE_UP = 60


@dataclass(frozen=True)
class Fault:
    """What one response does wrong. It begins as asked for.

    `after`: after so many bytes of the body it is closed ("end"), stands still until the server is released ("stall"), or goes on with
    wrong bytes ("corrupt"). `shift`: a part begins so many bytes too early. `status`: an answer without a file. `dropped`: none at all.
    `chunked`: without its length.
    """

    after: int | None = None
    then: str = "end"
    shift: int = 0
    status: int | None = None
    dropped: bool = False
    chunked: bool = False


@dataclass(frozen=True)
class Seen:
    """A request: path, headers in lower case, and whether it was answered with a part of the file."""

    path: str
    headers: dict[str, str]
    partial: bool

    @property
    def start(self) -> int:
        """The first byte asked for."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


@dataclass
class LocalServer:
    """`files`: name → contents. `faults`: one a request, in turn; later requests are answered well, or by `always`."""

    files: dict[str, bytes]
    faults: list[Fault] = field(default_factory=list)
    always: Fault = Fault()
    ignores_range: bool = False
    mark: Literal["strong", "weak", "none"] = "strong"
    redirects: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def url(self, name: str) -> str:
        """The address of a file."""
        return f"http://127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def serving(files: dict[str, bytes]) -> Iterator[LocalServer]:
    """The server, answering in threads until the end of the block."""
    local = LocalServer(files)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"local": local})) as server:
        local.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield local
        finally:
            local.released.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    local: LocalServer

    def do_GET(self) -> None:
        local, name = self.local, self.path.lstrip("/")
        fault = local.faults.pop(0) if local.faults else local.always
        headers = {key.lower(): value for key, value in self.headers.items()}
        whole = local.files.get(name, b"")
        tag = f'"{hashlib.sha256(whole).hexdigest()[:16]}"'
        asks = "range" in headers and not local.ignores_range and headers.get("if-range", tag) == tag
        seen = Seen(self.path, headers, asks)
        local.seen.append(seen)
        self.close_connection = True
        if fault.dropped:
            return
        if name in local.redirects:
            self._plain(302, {"Location": local.redirects[name]})
        elif fault.status or name not in local.files:
            self._plain(fault.status or 404, {})
        elif asks and seen.start >= len(whole):
            self._plain(416, {})
        else:
            self._send_file(whole, seen.start - fault.shift if asks else None, tag, fault)

    def _plain(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_file(self, whole: bytes, start: int | None, tag: str, fault: Fault) -> None:
        body = whole[start or 0 :]
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        if self.local.mark != "none":
            self.send_header("ETag", tag if self.local.mark == "strong" else f"W/{tag}")
        if not fault.chunked:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self._send_body(body, fault)

    def _send_body(self, body: bytes, fault: Fault) -> None:
        well = len(body) if fault.after is None else min(fault.after, len(body))
        self.wfile.write(body[:well])
        if fault.then == "stall" and well < len(body):
            self.local.released.wait(GIVE_UP)
            self.wfile.write(body[well:])
        elif fault.then == "corrupt":
            self.wfile.write(bytes(value ^ 1 for value in body[well:]))

    def log_message(self, format: str, *args: object) -> None:
        """The tests look at `seen`."""
