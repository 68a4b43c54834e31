"""`proof.json`: test images of a run that were really coded into bytes and came back from them in another process.

It lies beside the record and is no part of it: coding proves a number and changes none. It names the run and the weights that it is of.
"""

import math
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter

from pixelbench.store.documents.digested import of_another_run, parse_digested, write_digested
from pixelbench.store.record import Record
from pixelbench.units import MOST_AMOUNT, nats_to_bits

PROOF = "proof.json"
SCHEMA = 1
#: What the likelihood may differ by from the nats that the run left, relative: float32 on another machine.
_TOLERANCE = 1e-4

_RULES = ConfigDict(allow_inf_nan=False, extra="forbid")
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Positive = Annotated[int, Field(ge=1, lt=2**32)]
_Amount = Annotated[float, Field(ge=0, le=MOST_AMOUNT)]


@dataclass(frozen=True)
class CodedImages:
    """Images coded once."""

    __pydantic_config__ = _RULES

    coded_bytes: _Count
    """Of the images alone, without header and labels."""
    ideal_bits: _Amount
    """-log2 of the images' probability."""
    encode_seconds: _Amount
    decode_seconds: _Amount
    difference: str | None = None
    """The first sub-pixel that came back wrong; None where all images came back."""

    @property
    def overhead(self) -> float:
        """Bytes beyond -log2 of the probability, as a share of it; of images that need less than a bit, of one bit."""
        return 8 * self.coded_bytes / max(1.0, self.ideal_bits) - 1


@dataclass(frozen=True)
class Proof:
    """Coded test images of a run, the first `n_images`."""

    __pydantic_config__ = _RULES

    run_key: str
    """Empty of a model that is no run."""
    weights: _Sha256
    """Of the weights' file."""
    n_images: _Positive
    coded: CodedImages
    header_bytes: _Count
    label_bytes: _Count
    """Of the classes that a conditional model's decoder is told."""
    method: Literal["incremental", "naive"]
    batch: _Positive
    threads: _Positive
    versions: dict[str, str]
    claimed: CodedImages | None = None
    """Of a leaking model: the same by the probabilities that it is scored by, which see whole images."""
    schema: Literal[1] = SCHEMA

    @property
    def overhead(self) -> float:
        """Of the bytes from which the images came back."""
        return self.coded.overhead

    @property
    def times_claim(self) -> float | None:
        """Of a leaking model: how many times the bytes that its likelihood claims."""
        return None if self.claimed is None else 8 * self.coded.coded_bytes / max(1.0, self.claimed.ideal_bits)


def write_proof(folder: Path, proof: Proof) -> None:
    """Write `folder/proof.json` in one step, with a digest of its contents.

    Raises:
        OSError: the folder cannot be written.
    """
    write_digested(folder / PROOF, asdict(proof))


def parse_proof(blob: bytes) -> Proof:
    """A proof from the bytes of its file.

    Raises:
        ValueError: damaged, edited, or of a newer version.
    """
    return _adapter().validate_python(parse_digested(blob))


def proved_fields(proof: Proof | None) -> dict[str, Any]:
    """The columns of a tidy table that a proof fills; None without one."""
    return {
        "proved_images": None if proof is None else proof.n_images,
        "proved_bytes": None if proof is None else proof.coded.coded_bytes,
        "proved_overhead": None if proof is None else proof.overhead,
    }


def contradiction(proof: Proof, record: Record) -> str:
    """Why a proof is not of this run, as the end of a sentence that begins with its name; empty where it is."""
    if said := of_another_run(proof.run_key, proof.weights, record):
        return said
    return "says that images did not come back" if proof.coded.difference is not None else ""


def differs_from(proof: Proof, nats: np.ndarray) -> str:
    """Why a proof does not fit the nats (N,) that the run left, as the end of a sentence; empty where it does."""
    if proof.n_images > len(nats):
        return f"is of {proof.n_images:,} images, and the run scored {len(nats):,}"
    stated, scored = (proof.claimed or proof.coded).ideal_bits, float(nats_to_bits(nats[: proof.n_images].sum()))
    if math.isclose(stated, scored, rel_tol=_TOLERANCE, abs_tol=1.0):
        return ""
    return f"says that its images need {stated:,.6g} bits, and by the nats that the run left they need {scored:,.6g}"


@cache
def _adapter() -> TypeAdapter[Proof]:
    return TypeAdapter(Proof)
