"""Summaries of the files of a store, kept in `<store>/work/examined.json`: a file is not read again while its size and time stand."""

import contextlib
import json
import os
import time
from collections.abc import Collection
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from pixelbench.files.atomic import write_text
from pixelbench.store.artifacts import NAMES, FileSummary, read_summary
from pixelbench.store.record import Record
from pixelbench.store.record_file import RECORD, read_record, unreadable

#: Rises when what is looked for in a file changes, so that it is looked for again.
_RULES = 3
#: A file that was changed so shortly ago could be changed once more without another time.
_SETTLED_SECONDS = 2.0


class _Kept(NamedTuple):
    """The cache's entry of a record: its digest, which was right, and the keys of what it says was asked for."""

    digest: str
    key: str
    cell_key: str


class StoreCache:
    """Summaries of a store's files. A cache that cannot be read or written only costs time.

    Args:
        store: the results folder.
        reading: use what was kept before; otherwise everything is read again, and kept.
    """

    def __init__(self, store: Path, *, reading: bool = True):
        self._begin, self._path, self._changed = len(str(store / "x")) - 1, store / "work" / "examined.json", False
        self._files: dict[str, list[Any]] = {}
        if reading:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
                document = json.loads(self._path.read_bytes())
                if document["rules"] == _RULES and isinstance(document["files"], dict):
                    self._files = document["files"]

    def record(self, folder: Path) -> Record:
        """The record in a folder; as `read_record`, but its digest is not computed again where it is known."""
        path = f"{folder}/{RECORD}"
        try:
            status, name = os.stat(path), path[self._begin :]
        except FileNotFoundError:
            raise
        except OSError as error:  # a link to itself, a folder that nobody may enter
            raise unreadable(Path(path), error) from error
        with contextlib.suppress(ValueError, TypeError):
            kept = _Kept(*self._known(name, status) or ())
            record = read_record(folder, digest=kept.digest)
            record.spec.take_keys(kept.key, kept.cell_key)
            return record
        record = read_record(folder)
        with contextlib.suppress(ValueError):  # a number that is not finite, of which `integrity` speaks
            self._keep(name, status, _Kept(record.digest, record.spec.key, record.spec.cell_key))
        return record

    def summaries(self, folder: Path, names: Collection[str] = NAMES) -> dict[str, FileSummary | None]:
        """Summaries of the files of a run, or of those of these names; None where one is not there."""
        found: dict[str, FileSummary | None] = dict.fromkeys(names)
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in found:
                    found[entry.name] = self._summary_of(entry)
        return found

    def save(self) -> None:
        """Keep what was found for later calls."""
        if self._changed:
            with contextlib.suppress(OSError):
                write_text(self._path, json.dumps({"rules": _RULES, "files": self._files}))
                self._changed = False

    def _summary_of(self, entry: "os.DirEntry[str]") -> FileSummary:
        """Of a file that cannot be looked at, such as a link to nowhere, that alone: it hides none of the others."""
        try:
            status = entry.stat()
        except OSError as error:
            return FileSummary("", f"cannot be read ({error.strerror})")
        return self._summary(entry.path, status)

    def _summary(self, path: str, status: os.stat_result) -> FileSummary:
        name = path[self._begin :]
        with contextlib.suppress(ValueError):
            if known := self._known(name, status):
                return _ADAPTER.validate_python(known[0])
        found = read_summary(Path(path))
        self._keep(name, status, [{field: _plain(value) for field, value in vars(found).items()}])
        return found

    def _known(self, name: str, status: os.stat_result) -> list[Any] | None:
        kept = self._files.get(name)
        if not isinstance(kept, list) or kept[:2] != [status.st_size, status.st_mtime_ns]:
            return None
        return kept[2:]

    def _keep(self, name: str, status: os.stat_result, values: Collection[Any]) -> None:
        if time.time() - status.st_mtime > _SETTLED_SECONDS:
            self._files[name] = [status.st_size, status.st_mtime_ns, *values]
            self._changed = True


def _plain(value: Any) -> Any:
    """A part of a summary as JSON holds it."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


_ADAPTER = TypeAdapter(FileSummary)
