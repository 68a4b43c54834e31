"""Task `mnist-fixed`: MNIST in the published fixed binarisation, 28x28 pixels of two levels.

Salakhutdinov and Murray (2008) drew every pixel once with its grey value as probability; Larochelle and Murray (2011) published the result
as three text files, which later papers score. Any other binarisation (drawn anew, thresholded) is another data set: thresholded images
cost about 55 to 60 nats where these cost about 80.

The files lie in the data folder, since no package holds them. They are read as they were published, as text, or packed: an `.npz` of
arrays `train`, `valid` and `test` (N, 98), each row the 784 pixels of an image by `numpy.packbits`. Each split is checked by the digest of
its pixels, one byte a pixel, so it does not matter which of the two was read.
"""

import hashlib
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from pixelbench.data.folder import VARIABLE, data_folder
from pixelbench.data.progress import Report
from pixelbench.data.remote import Remote
from pixelbench.data.task import Split, Task, TaskData
from pixelbench.data.whole import said
from pixelbench.errors import UserError

SIDE = 28
#: Around the text of a KeyError.
_QUOTES = "'\""
FOLDER = "binarized_mnist"
PACKED = "binarized_mnist.npz"
#: Where the text files were published.
ORIGIN = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"
#: The names of the splits in the files → the SHA-256 of their pixels.
PUBLISHED = {
    "train": "43490d4d6ac9002727af4426d8748609fdb7e4094fa65ad8d681ea60082a7a5a",
    "valid": "069b4f0beb389b776478c3e872b4df71c95ac4be64d7cbe6d32e24ebac8e6d5e",
    "test": "ca0294c3b8d984c7a1dc891015a8eea6f37bae59a34e35ea0fc8c47110a8dd86",
}
#: The test file is sorted by digit, so a prefix of it would be zeros only: images so far apart are taken in turn.
TEST_STRIDE = 100


def build_mnist_fixed() -> TaskData:
    """Reads and verifies the three splits. A cluster is an image: its number through the three published files.

    Raises:
        UserError: the files are not there, cannot be read, or are not the published ones.
    """
    missing = missing_mnist_fixed()
    if missing:
        raise UserError(missing)
    pixels = _verified(_folder())
    order = np.concatenate([np.arange(first, len(pixels["test"]), TEST_STRIDE) for first in range(TEST_STRIDE)])
    first, second = len(pixels["train"]), len(pixels["train"]) + len(pixels["valid"])
    return TaskData(_split(pixels["train"], 0), _split(pixels["valid"], first), _split(pixels["test"], second)[order])


def obtain_mnist_fixed(report: Report, *, skip_damaged: bool = False, allow_overlap: bool = False) -> None:
    """Downloads the published files, each kept only with the published pixels; the options of image folders have no meaning here."""
    from pixelbench.data.download import download  # not for planning: the network

    if missing_mnist_fixed():
        for name, published in PUBLISHED.items():
            remote = Remote(text_name(name), (f"{ORIGIN}{text_name(name)}",))
            download(remote, _folder() / text_name(name), report, verify=partial(_text_fault, published=published))


def missing_mnist_fixed() -> str | None:
    """What is missing and how to get it, as one sentence; None where the files are there. Looks at names only."""
    folder = _folder()
    if (folder / PACKED).is_file() or all((folder / text_name(name)).is_file() for name in PUBLISHED):
        return None
    return f"Task 'mnist-fixed' needs the published files of fixed binarised MNIST, and '{folder}' does not hold them; {_HOW}"


def text_name(split: str) -> str:
    """The name under which a split was published."""
    return f"binarized_mnist_{split}.amat"


_HOW = (
    f"get them with `pixelbench fetch mnist-fixed`, or put {text_name('train')}, {text_name('valid')} and {text_name('test')} (Larochelle "
    f"and Murray 2011), or {PACKED}, into DIR/{FOLDER} and say --data DIR or {VARIABLE}=DIR."
)


def _verified(folder: Path) -> dict[str, np.ndarray]:
    """The published (N, 784) pixels of each split, packed or as text: where both are there, one may be broken."""
    packed, texts = folder / PACKED, {name: folder / text_name(name) for name in PUBLISHED}
    faults = []
    if packed.is_file():
        try:
            return _published(_unpacked(packed), dict.fromkeys(PUBLISHED, packed))
        except UserError as error:
            faults.append(error)
    if not faults or all(path.is_file() for path in texts.values()):
        try:
            return _published({name: _from_text(path) for name, path in texts.items()}, texts)
        except UserError as error:
            faults.append(error)
    raise faults[0]


def _published(pixels: dict[str, np.ndarray], paths: dict[str, Path]) -> dict[str, np.ndarray]:
    for name, published in PUBLISHED.items():
        fault = _fault(pixels[name], published)
        if fault:
            raise UserError(f"The {name} images in '{paths[name]}' are not the published fixed binarisation: {fault}; {_HOW}")
    return pixels


def _folder() -> Path:
    return data_folder() / FOLDER


def _unpacked(path: Path) -> dict[str, np.ndarray]:
    """(N, 784) pixels of each split."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # numpy leaves a damaged file open
            return {name: np.unpackbits(arrays[name], axis=1) for name in PUBLISHED}
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"'{path}' cannot be read as packed images ({said(error).strip(_QUOTES)}); {_HOW}") from None


def _from_text(path: Path) -> np.ndarray:
    """(N, 784) pixels from lines of `0` and `1` between spaces."""
    try:
        text = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({said(error)}); {_HOW}") from None
    digits = text[text > ord(" ")]
    pixels = digits - np.uint8(ord("0"))
    if pixels.size % SIDE**2 or pixels.size == 0 or pixels.max() > 1:
        raise UserError(f"'{path}' does not hold rows of {SIDE**2} zeros and ones; {_HOW}")
    return pixels.reshape(-1, SIDE**2)


def _text_fault(path: Path, published: str) -> str | None:
    try:
        return _fault(_from_text(path), published)
    except UserError:
        return f"it does not hold rows of {SIDE**2} zeros and ones"


def _fault(pixels: np.ndarray, published: str) -> str | None:
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return None if digest == published else f"the digest of their pixels is {digest}, not {published}"


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
        "MNIST (Y. LeCun, C. Cortes, C. J. C. Burges) as binarised by R. Salakhutdinov and I. Murray (2008) and published by H. Larochelle "
        "and I. Murray (2011); downloaded or read from the data folder, not shipped."
    ),
    builder=build_mnist_fixed,
    sizes=(50_000, 10_000, 10_000),
    missing=missing_mnist_fixed,
    obtain=obtain_mnist_fixed,
)
