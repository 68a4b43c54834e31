"""`record.json`: where it lies, reading it, writing it, and telling a damaged, a foreign and a newer one apart."""

import hashlib
import json
import math
import re
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pixelbench.errors import UserError
from pixelbench.files.atomic import write_text
from pixelbench.files.reading import read_bounded
from pixelbench.key_fields import key_values
from pixelbench.store.json_values import is_table
from pixelbench.store.record import SCHEMA, Record
from pixelbench.store.spec import RunSpec

RECORD = "record.json"
_FIX = "run it again with --rerun failed, or move its folder away"
#: A record that is longer was not written by PixelBench.
MOST_BYTES = 8 << 20
#: Where the digest of all other fields stands, last of all.
_DIGEST = "sha256"
#: What numbers look like that may not be numbers of a record; settings can be of any type, so that none is looked for in them.
_STRANGE = re.compile(rb"NaN|Infinity|[eE]\+?[0-9]{3}|[0-9]{19}")


class RecordError(UserError):
    """A record that cannot be used; the message names the file, what is wrong and what to do. `newer`: another version can read it."""

    def __init__(self, sentence: str, *, newer: bool = False) -> None:
        super().__init__(sentence)
        self.newer = newer


def run_folder(store: Path, spec: RunSpec) -> Path:
    """`<store>/<task>/<variant>/<run key>`."""
    return store / spec.task["name"] / spec.variant / spec.key


def certificates_folder(store: Path) -> Path:
    """Where certificates of causality are kept for all runs that they hold for."""
    return store / "work" / "certificates"


def write_record(folder: Path, record: Record) -> None:
    """Write `folder/record.json` in one step. It comes last: its presence means that the run has ended.

    Raises:
        ValueError: a field is of the wrong type or out of range, or a number is not finite.
        OSError: the folder cannot be written.
    """
    document = to_document(record)
    blob = json.dumps(document, allow_nan=False).encode()
    _parsed(blob)
    fault = _validated(blob)
    if isinstance(fault, str):
        raise ValueError(f"not a record: {fault}")
    *lines, end = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False).split("\n")
    lines[-1] += ","
    write_text(folder / RECORD, "\n".join([*lines, f' "{_DIGEST}": "{canonical_digest(document)}"', end]) + "\n")


def to_document(record: Record) -> dict[str, Any]:
    """The record as plain JSON values, without its digest."""
    document = asdict(record)
    del document["digest"]
    document["schema"] = SCHEMA
    if record.recipe is not None:
        document["recipe"] = key_values(record.recipe)
    document["evaluation"] = key_values(record.evaluation)
    return document


def read_record(folder: Path, *, digest: str | None = None) -> Record:
    """The record in `folder`.

    `digest`: of a file that has not changed since it was read and found right, so that this is not done again.

    Raises:
        FileNotFoundError: there is none: the run has not ended.
        RecordError: damaged, edited, or written by a newer PixelBench.
    """
    path = folder / RECORD
    blob = _read(path)
    found = _validated(blob)
    if isinstance(found, str):
        _digest_of(path, blob)  # what is wrong with the whole file comes first
        raise RecordError(f"{path} is damaged ({found}); {_FIX}.")
    if digest is None:
        plain = found.schema == 1 and not _STRANGE.search(blob) and f'"{_DIGEST}"'.encode() not in blob  # schema 1 needs no digest
        digest = hashlib.sha256(blob).hexdigest() if plain else _digest_of(path, blob)
    return replace(found, digest=digest)


def _digest_of(path: Path, blob: bytes) -> str:
    """The digest of a record that is JSON, of a known schema, and not edited."""
    try:
        document = _parsed(blob)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged (not JSON: {_shortened(str(error))}); {_FIX}.") from error
    return _sound(path, document)


def state_of(folder: Path) -> tuple[str | None, str | None]:
    """The digest of the record in `folder` and its status; None where there is none, `damaged` instead of the digest where it is."""
    try:
        record = read_record(folder)
    except FileNotFoundError:
        return None, None
    except RecordError:
        return "damaged", None
    return record.digest, record.status


def canonical_digest(document: dict[str, Any]) -> str:
    """SHA-256 of a document as canonical JSON: sorted keys, no white space, UTF-8."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> bytes:
    try:
        blob = read_bounded(path, MOST_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    if blob is None:
        raise RecordError(f"{path} has more than {MOST_BYTES >> 20} MB, which no record has; {_FIX}.")
    return blob


def unreadable(path: Path, error: OSError) -> RecordError:
    """What is said of a record that the file system does not give."""
    return RecordError(f"{path} cannot be read ({error.strerror}); change its permissions or move it away.")


def _parsed(blob: bytes) -> Any:
    """JSON whose numbers all others can hold: finite ones, and integers of 64 bits; also where a record is free to hold anything.

    Raises:
        ValueError, RecursionError: something else.
    """
    return json.loads(blob, parse_constant=_no_constant, parse_float=_float, parse_int=_int)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _float(text: str) -> float:
    """As `float`, of what `json` writes: `1E-10` is the same number as `1e-10` and one bit away, and no digest would tell."""
    value = float(text)
    if "E" in text or not math.isfinite(value):
        raise ValueError(f"{text} is no number of a record")
    return value


def _int(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{text} is no number of a record")
    return value


def _sound(path: Path, document: Any) -> str:
    """The digest of a record of a known schema, which is right where it has one."""
    if not is_table(document):
        raise RecordError(f"{path} is damaged (not an object); {_FIX}.")
    schema = document.get("schema")
    if type(schema) is not int or schema < 1:
        raise RecordError(f"{path} is damaged ('schema' is {_shown(schema) if 'schema' in document else 'missing'}); {_FIX}.")
    if schema > SCHEMA:
        newer = f"{path} has schema {_shown(schema)}, newer than the {SCHEMA} that this version knows; update PixelBench to read it."
        raise RecordError(newer, newer=True)
    stated = document.pop(_DIGEST, None)
    try:
        digest = canonical_digest(document)
    except (ValueError, RecursionError) as error:  # half of a surrogate pair
        raise RecordError(f"{path} is damaged ({_shortened(ascii(str(error)))}); {_FIX}.") from error
    if stated != digest and (stated is not None or schema == SCHEMA):  # a later record that calls itself one of schema 1 has one still
        raise RecordError(f"{path} is damaged or was edited (its digest is not that of its contents); {_FIX}.")
    return digest


def _validated(blob: bytes) -> Record | str:
    """The typed record, or what is wrong with its first wrong field."""
    try:
        return _adapter().validate_json(blob)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("missing", "missing_argument"):
            return f"'{where}' is missing"
        if first["type"] == "finite_number":
            return f"'{where}' is no finite number"
        return f"'{where}' is {_shown(first['input'])}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def _shown(value: Any) -> str:
    """A value as part of a sentence: short, and with nothing that a terminal would obey."""
    try:
        return _shortened(ascii(value))
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return "beyond all bounds"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:77]}..."


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)
