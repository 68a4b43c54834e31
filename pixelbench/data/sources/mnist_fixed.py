"""Task `mnist-fixed`: MNIST in the published fixed binarisation, 28x28 pixels of two levels.

Salakhutdinov and Murray (2008) drew every pixel once with its grey value as probability; Larochelle and Murray (2011) published the result
as three text files, which later papers score. Any other binarisation (drawn again, thresholded) is another data set: thresholded images
cost about 55 to 60 nats where these cost about 80.

The images ship inside the package, so that a machine without network compares with published figures: an `.npz` of arrays `train`, `valid`
and `test` (N, 98), each row the 784 pixels of an image by `numpy.packbits`. Each split is checked by the digest of its pixels, one byte a
pixel, which is that of the published text.
"""

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from pixelbench.data.task import Split, Task, TaskData
from pixelbench.data.whole import said
from pixelbench.errors import UserError

SIDE = 28
PACKED = Path(__file__).parent / "embedded" / "binarized_mnist.npz"
#: The names of the splits in the file → the SHA-256 of their pixels.
PUBLISHED = {
    "train": "43490d4d6ac9002727af4426d8748609fdb7e4094fa65ad8d681ea60082a7a5a",
    "valid": "069b4f0beb389b776478c3e872b4df71c95ac4be64d7cbe6d32e24ebac8e6d5e",
    "test": "ca0294c3b8d984c7a1dc891015a8eea6f37bae59a34e35ea0fc8c47110a8dd86",
}
#: The test file is sorted by digit, so a prefix of it would be zeros only: images so far apart are taken in turn.
TEST_STRIDE = 100
#: Around the text of a KeyError.
_QUOTES = "'\""


def build_mnist_fixed() -> TaskData:
    """Unpack and verify the three splits. A cluster is an image: its number through the three published files.

    Raises:
        UserError: the installed file is not there, cannot be read, or does not hold the published images.
    """
    pixels = _unpacked()
    for name, published in PUBLISHED.items():
        digest = hashlib.sha256(pixels[name].tobytes()).hexdigest()
        if digest != published:
            raise UserError(
                f"The {name} images in '{PACKED}' are not the published fixed binarisation: the digest of their pixels is {digest}, "
                f"not {published}; {_REINSTALL}"
            )
    order = np.concatenate([np.arange(first, len(pixels["test"]), TEST_STRIDE) for first in range(TEST_STRIDE)])
    first, second = len(pixels["train"]), len(pixels["train"]) + len(pixels["valid"])
    return TaskData(_split(pixels["train"], 0), _split(pixels["valid"], first), _split(pixels["test"], second)[order])


_REINSTALL = "reinstall pixelbench."


def _unpacked() -> dict[str, np.ndarray]:
    """(N, 784) pixels of each split."""
    try:
        with PACKED.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # numpy leaves a damaged file open
            return {name: np.unpackbits(arrays[name], axis=1) for name in PUBLISHED}
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"'{PACKED}' cannot be read as packed images ({said(error).strip(_QUOTES)}); {_REINSTALL}") from None


def _split(pixels: np.ndarray, first: int) -> Split:
    return Split(pixels.reshape(-1, 1, SIDE, SIDE), np.arange(first, first + len(pixels), dtype=np.int64))


MNIST_FIXED = Task(
    name="mnist-fixed",
    title="MNIST digits 28x28, fixed binarisation",
    channels=1,
    height=SIDE,
    width=SIDE,
    levels=2,
    digest="76ae3102193f875d9fdcfb6c3761b2596da67cd8c5029d79c8afdd260e8b5821",
    preprocessing="None: the pixels 0 and 1 as published, each drawn once with the grey value as its probability.",
    split_rule=(
        "The published files: 50,000 train, 10,000 validation, 10,000 test; the test images, which the file sorts by digit, are taken "
        f"{TEST_STRIDE} apart in turn. A cluster is an image."
    ),
    source=(
        "MNIST (Y. LeCun, C. Cortes and C. J. C. Burges; its page states no licence) as binarised by R. Salakhutdinov and I. Murray (2008) "
        "and published by H. Larochelle and I. Murray (2011; no licence stated), from the copy in the ARM-gradient repository (MIT, M. Yin "
        "and M. Zhou); ships inside pixelbench, see its NOTICE."
    ),
    builder=build_mnist_fixed,
    sizes=(50_000, 10_000, 10_000),
    binarisation="fixed",
    published_images=10_000,
)
