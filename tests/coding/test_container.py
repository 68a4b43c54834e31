"""The file: what is written is read, no byte can change or be missing unseen, and the header is small."""

from dataclasses import replace

import numpy as np
import pytest

from pixelbench.coding.container import MOST_HEADER, FileFault, Header, images_digest, pack, unpack

pytestmark = pytest.mark.quick

HEADER = Header(
    run_key="3e72041f87df",
    shape=(3, 5, 4),
    levels=256,
    n=100,
    batch=64,
    threads=2,
    method="incremental",
    weights="ab" * 32,
    images="cd" * 32,
    torch="2.13.0+cpu",
)
BLOB = pack(HEADER, b"coded images", b"labels")


def test_what_is_packed_is_unpacked() -> None:
    found = unpack(BLOB)
    assert (found.header, found.labels, found.images) == (HEADER, b"labels", b"coded images")
    assert found.header_bytes == len(BLOB) - len(b"coded images" + b"labels")
    largest = replace(HEADER, run_key="f" * 48, torch="2.14.0+cu130.rocm", method="naive", classes=1000, levels=1 << 16)
    blob = pack(largest, b"")
    assert unpack(blob).header == largest
    assert len(blob) <= MOST_HEADER


def test_a_header_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 256 bytes"):
        pack(replace(HEADER, torch="t" * 100), b"")


def test_a_flipped_bit_anywhere_is_found() -> None:
    for place in range(len(BLOB)):
        for bit in (1, 128):
            damaged = bytearray(BLOB)
            damaged[place] ^= bit
            with pytest.raises(FileFault):
                unpack(bytes(damaged))


def test_a_file_that_is_cut_off_or_goes_on_is_found() -> None:
    for length in range(len(BLOB)):
        with pytest.raises(FileFault, match=r"is cut off|is not a file"):
            unpack(BLOB[:length])
    with pytest.raises(FileFault, match="is damaged"):
        unpack(BLOB + b"\0")


def test_a_newer_file_and_a_foreign_one_say_so() -> None:
    newer = bytearray(BLOB)
    newer[8] = 2
    with pytest.raises(FileFault, match="has version 2 of the format, newer than the 1"):
        unpack(bytes(newer))
    with pytest.raises(FileFault, match="is not a file that `pixelbench compress` wrote"):
        unpack(b"\x89PNG\r\n\x1a\n" + BLOB[8:])


@pytest.mark.parametrize("change", [{"n": 0, "batch": 0}, {"batch": 101}, {"levels": 1}, {"shape": (0, 5, 4)}, {"threads": 0}])
def test_a_header_that_cannot_be_is_refused_though_its_digest_is_right(change: dict) -> None:
    with pytest.raises(FileFault, match="header that this version cannot read"):
        unpack(pack(replace(HEADER, **change), b""))


def test_the_digest_of_images_is_of_values_and_not_of_their_type() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    assert images_digest(images, None) == images_digest(images.astype(np.int32)[:, :, ::1], None)
    assert images_digest(images, None) == images_digest(np.asfortranarray(images), None)
    assert images_digest(images, None) != images_digest(images[::-1], None)
    assert images_digest(images, np.array([0, 1])) != images_digest(images, np.array([1, 0]))
