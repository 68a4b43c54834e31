"""A JSON object in a file with the digest of its contents, and whether one that lies beside a record is that record's."""

import json
from pathlib import Path
from typing import Any

from pixelbench.files.atomic import write_json
from pixelbench.store.json_values import is_table
from pixelbench.store.record import WEIGHTS, Record
from pixelbench.store.record_file import canonical_digest

_DIGEST = "sha256"


def write_digested(path: Path, document: dict[str, Any]) -> None:
    """Write a document in one step, with a digest of its contents.

    Raises:
        OSError: the folder cannot be written.
    """
    write_json(path, {**document, _DIGEST: canonical_digest(document)})


def parse_digested(blob: bytes, schema: int | None = None) -> dict[str, Any]:
    """The document from the bytes of its file, without its digest.

    Args:
        blob: of the file.
        schema: the newest one that is known, where a newer one is to be told from damage.

    Raises:
        ValueError: damaged, edited, or of a newer schema.
    """
    document: Any = json.loads(blob)
    if not is_table(document):
        raise ValueError("not an object")
    stated = document.get("schema")
    if schema is not None and type(stated) is int and stated > schema:
        raise ValueError(f"it has schema {stated}, newer than the {schema} that this version knows; update PixelBench to read it")
    if document.pop(_DIGEST, None) != canonical_digest(document):
        raise ValueError("its digest is not that of its contents")
    return document


def of_another_run(run_key: str, weights: str | None, record: Record) -> str:
    """Why a document of this run key and weights (SHA-256) is not of the record's run, as the end of a sentence; empty where it is."""
    if run_key != record.run_key:
        return f"is of run {run_key}"
    if record.artifacts.get(WEIGHTS, weights) != weights:
        return "is of other weights than the run left"
    return ""
