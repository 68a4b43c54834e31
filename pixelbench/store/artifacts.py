"""The files beside a record: what is in them, and whether they are whole."""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_magic

from pixelbench.causality.report import CausalityReport, MapStatus
from pixelbench.files.reading import read_bounded
from pixelbench.statistics import clustered
from pixelbench.store.curve_file import parse_curve
from pixelbench.store.documents.measurements import QUALITY, Measurements, parse_measurements
from pixelbench.store.documents.proofs import PROOF, Proof, parse_proof
from pixelbench.store.json_values import in_short
from pixelbench.store.record import WEIGHTS

NATS, CURVE, CERTIFICATE, SAMPLES = "nats.npz", "curve.csv", "certificate.json", "samples.png"
#: What a run leaves, and what is proved and measured of it later, which no record speaks of.
NAMES = (NATS, CURVE, CERTIFICATE, SAMPLES, WEIGHTS, PROOF, QUALITY)
#: The files that a run's number rests on.
EVIDENCE = (NATS, CERTIFICATE)

#: Weights of at most so many bytes are kept beside every record, so that whoever has the store can score them again.
ALWAYS_KEPT = 1 << 20
#: A larger one is named and not read. Weights have a limit of their own where they are written.
_MOST_BYTES = {
    NATS: 64 << 20,
    CURVE: 8 << 20,
    CERTIFICATE: 8 << 20,
    SAMPLES: 8 << 20,
    WEIGHTS: 1 << 32,
    PROOF: 1 << 20,
    QUALITY: 1 << 20,
}
#: Nats; a probability of 1 may come out as a little more.
_ROUNDING = 1e-3
#: What stands before each file of a zip archive: signature, version, flags, method, time, date, checksum, sizes, lengths.
_LOCAL_HEADER = struct.Struct("<4sHHHHHLLLHH")


def weights_path(folder: Path) -> Path:
    """Where a run's weights lie: beside the record where they are kept, else in `work`, which is not committed."""
    kept = folder / WEIGHTS
    return kept if kept.is_file() else folder / "work" / WEIGHTS


@dataclass(frozen=True)
class NatsSummary:
    """A summary of the test images' likelihoods, in nats."""

    n_images: int
    n_clusters: int
    mean: float
    error: float | None
    """Standard error of the mean over clusters."""
    below_zero: int
    """Images that need less than no nats, by more than rounding makes."""
    values: str
    """Digest of the numbers, so that a copy is found."""


@dataclass(frozen=True)
class FileSummary:
    """A summary of a file. `fault`: why it is of no use, as the end of a sentence; empty where it is whole."""

    sha256: str
    fault: str = ""
    nats: NatsSummary | None = None
    status: MapStatus | None = None
    """Of a certificate."""
    shape: tuple[int, ...] | None = None
    """Of a certificate: (C, H, W) of the images."""
    proof: Proof | None = None
    """Of `proof.json`."""
    quality: Measurements | None = None
    """Of `quality.json`."""


def read_summary(path: Path) -> FileSummary:
    """Read one of a run's files and summarise it."""
    most = _MOST_BYTES[path.name]
    try:
        blob = read_bounded(path, most)
    except OSError as error:
        return FileSummary("", f"cannot be read ({error.strerror})")
    if blob is None:
        return FileSummary("", f"has more than {most >> 20} MB")
    digest = hashlib.sha256(blob).hexdigest()
    try:
        if path.name == NATS:
            return FileSummary(digest, nats=_nats_summary(*_arrays(blob)))
        if path.name == CERTIFICATE:
            report = CausalityReport.from_json(json.loads(blob))
            return FileSummary(digest, status=report.status, shape=report.shape)
        if path.name == CURVE:
            parse_curve(blob)
        if path.name == PROOF:
            return FileSummary(digest, proof=parse_proof(blob))
        if path.name == QUALITY:
            return FileSummary(digest, quality=parse_measurements(blob))
    except Exception as error:  # zip, numpy, JSON and UTF-8 each have errors of their own for what is not theirs
        return FileSummary(digest, f"is damaged ({in_short(error)})")
    return FileSummary(digest)


def read_nats(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Per test image: nats (N,) float64 and clusters (N,).

    Raises:
        OSError, ValueError: no such file, or damaged.
    """
    try:
        return _arrays(path.read_bytes())
    except OSError:
        raise
    except Exception as error:  # as in `read_summary`
        raise ValueError(f"{path} is damaged ({in_short(error)})") from error


def remove_others(folder: Path, kept: Collection[str]) -> None:
    """Remove a run's files that an earlier attempt left, and of which the record that now stands beside them does not speak."""
    for name in set(NAMES) - set(kept):
        (folder / name).unlink(missing_ok=True)


def _arrays(blob: bytes) -> tuple[np.ndarray, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        _check_archive(archive, blob)
        nats, clusters = (_array(archive.read(f"{name}.npy")) for name in ("nats", "clusters"))
    if nats.ndim != 1 or nats.shape != clusters.shape or not len(nats):
        raise ValueError(f"nats {nats.shape} and clusters {clusters.shape} are not one number an image")
    if not np.issubdtype(nats.dtype, np.floating) or not np.issubdtype(clusters.dtype, np.integer):
        raise ValueError(f"nats are {nats.dtype} and clusters {clusters.dtype}")
    if not np.isfinite(nats).all():
        raise ValueError("nats are not finite")
    return nats.astype(np.float64), clusters


def _array(blob: bytes) -> np.ndarray:
    """An array in NumPy's format 1.0, which it takes for all but enormous headers."""
    head = blob[: 10 + int.from_bytes(blob[8:10], "little")]
    shape, _, dtype = _header(head)
    if dtype.hasobject:
        raise ValueError("its values are Python objects")
    return np.frombuffer(blob, dtype, offset=len(head)).reshape(shape)


@lru_cache(256)
def _header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type. Kept, since most files of a store have the same, and NumPy parses them as Python."""
    stream = io.BytesIO(head)
    if read_magic(stream) != (1, 0):
        raise ValueError("it is of another version of NumPy's format")
    return read_array_header_1_0(stream)


def _check_archive(archive: zipfile.ZipFile, blob: bytes) -> None:
    """Raise ValueError where what stands before a file of the archive is not what its directory says: readers look at one of them only."""
    for entry in archive.infolist():
        _, _, flags, method, *_, name_length, _ = _LOCAL_HEADER.unpack_from(blob, entry.header_offset)
        begin = entry.header_offset + _LOCAL_HEADER.size
        name = blob[begin : begin + name_length].decode()
        if (flags, method, name) != (entry.flag_bits, entry.compress_type, entry.orig_filename):
            raise ValueError(f"the archive contradicts itself about {entry.filename!a}")


def _nats_summary(nats: np.ndarray, clusters: np.ndarray) -> NatsSummary:
    error, n_clusters = clustered(nats, clusters)
    below, values = int((nats < -_ROUNDING).sum()), hashlib.sha256(nats.tobytes()).hexdigest()[:24]
    return NatsSummary(len(nats), n_clusters, float(nats.mean()), error, below, values)
