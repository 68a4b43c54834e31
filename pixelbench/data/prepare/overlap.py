"""Images that two splits of a folder have in common: counted by what they look like, whatever their files are called."""

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Overlap:
    """`counts`: split → how many of its images are in an earlier split too, none where it is 0. `first`: two files of one image of it."""

    counts: dict[str, int]
    first: dict[str, tuple[str, str]]


def fingerprint(image: np.ndarray) -> int:
    """64 bits of an image's bytes: among ten million images two different ones have the same with a probability of 3 in a million."""
    return int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=8).digest(), "little")


def overlap_of(prints: dict[str, np.ndarray], names: dict[str, list[str]]) -> Overlap:
    """Validation images that train has, and test images that train or validation have.

    Args:
        prints: split → the fingerprint (N,) uint64 of each image; train, validation, test.
        names: split → the files of the same images.
    """
    counts, first, splits = {}, {}, list(prints)
    for number, split in enumerate(splits[1:], 1):
        earlier = np.concatenate([prints[name] for name in splits[:number]])
        common = np.flatnonzero(np.isin(prints[split], earlier))
        if len(common):
            files = [file for name in splits[:number] for file in names[name]]
            other = files[int(np.flatnonzero(earlier == prints[split][common[0]])[0])]
            counts[split], first[split] = len(common), (names[split][common[0]], other)
    return Overlap(counts, first)
