"""Tasks of 28x28 grey images: MNIST with 256 levels, binarised in two ways that are not the published one, and Fashion-MNIST.

Three binarisations of MNIST are in use, and their numbers have nothing to do with each other (compare `mnist_fixed`): thresholded images
cost about 55 to 60 nats where drawn ones, fixed or dynamic, cost about 80. So each is a task of its own.

`mnist-dynamic` draws each pixel of a training image again whenever it is used. Its validation and test images are drawn once and for all,
with random numbers of numpy's `RandomState`, whose stream never changes: other images than those of the published files.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from pixelbench.data.sources.idx import COUNTS, SIDE, IdxSet
from pixelbench.data.task import Split, Task, TaskData, data_digest

TRAIN = 50_000
VALIDATION = COUNTS["train"] - TRAIN
GREYS = 255
#: Grey values above it are 1 in `mnist-threshold`: the nearer of the two ends.
THRESHOLD = 127
#: The seed of the validation and test images of `mnist-dynamic`.
DRAWN_WITH = 2008

MNIST_FILES = IdxSet(
    "MNIST",
    ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    {
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    },
)
FASHION_FILES = IdxSet(
    "FashionMNIST",
    ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    {
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
)


def build_grey(files: IdxSet) -> TaskData:
    """The images as they are. A cluster is an image: its number through the two files."""
    images, labels = files.read("train")
    test_images, test_labels = files.read("test")
    numbers = np.arange(len(images) + len(test_images), dtype=np.int64)
    everything = Split(np.concatenate([images, test_images]), numbers, np.concatenate([labels, test_labels]))
    return TaskData(everything[:TRAIN], everything[TRAIN : len(images)], everything[len(images) :])


def build_thresholded() -> TaskData:
    """0 and 1, the nearer to each grey value."""
    data = build_grey(MNIST_FILES)
    return TaskData(*(replace(split, images=(split.images > THRESHOLD).astype(np.uint8)) for split in data.splits().values()))


def build_dynamic() -> TaskData:
    """Grey training images, of which each update draws its own; validation and test drawn once."""
    data = build_grey(MNIST_FILES)
    chance = np.random.RandomState(DRAWN_WITH)
    drawn = [replace(split, images=drawn_once(split.images, chance)) for split in (data.validation, data.test)]
    return TaskData(data.train, *drawn)


def drawn_once(greys: np.ndarray, chance: np.random.RandomState) -> np.ndarray:
    """uint8 images of 0 and 1: each is 1 with its grey value, 0 … 255, out of 255 as probability."""
    return (chance.random_sample(greys.shape) * GREYS < greys).astype(np.uint8)


def _other_images(files: IdxSet) -> str | None:
    """Whose images the files hold: they have the right form, and nobody has looked at their pixels before."""
    found = data_digest(build_grey(files))
    mine, other = (MNIST, FASHION_MNIST) if files is MNIST_FILES else (FASHION_MNIST, MNIST)
    if found == mine.digest:
        return None
    those = f"the files are those of {other.name}" if found == other.digest else f"the files are not those of {files.name}, or were changed"
    return f"{those}; remove '{files.folder}' and run `pixelbench fetch`, or put the published files there"


_SPLIT = (
    f"The published training file: its first {TRAIN:,} images train, its last {VALIDATION:,} validation; the published test file. "
    "A cluster is an image."
)
MNIST = Task(
    name="mnist",
    title="MNIST digits 28x28, 256 levels",
    channels=1,
    height=SIDE,
    width=SIDE,
    levels=256,
    digest="1c1c4e741ba863f2d4c8fcc2929ffe6e8a193abd87116c846365d2e533bda8a9",
    preprocessing="None: the grey values 0 to 255 as published.",
    split_rule=_SPLIT,
    source="MNIST (Y. LeCun, L. Bottou, Y. Bengio, P. Haffner 1998; no licence stated); in the data folder, not shipped.",
    builder=lambda: build_grey(MNIST_FILES),
    sizes=(TRAIN, VALIDATION, COUNTS["test"]),
    classes=10,
    missing=lambda: MNIST_FILES.missing("mnist"),
    obtain=MNIST_FILES.obtain,
    other_images=partial(_other_images, MNIST_FILES),
    published_images=COUNTS["test"],
)
MNIST_DYNAMIC = replace(
    MNIST,
    name="mnist-dynamic",
    title="MNIST digits 28x28, drawn again each time",
    levels=2,
    digest="6f3c04cfdce0587a1cf748df49cf422cf5fe6d9d42792731f343db606e8f70a3",
    preprocessing=(
        "Each pixel is 1 with its grey value as probability: of training images drawn anew at each use, of validation and test images "
        f"drawn once (numpy RandomState, seed {DRAWN_WITH}). Not the published fixed binarisation."
    ),
    builder=build_dynamic,
    missing=lambda: MNIST_FILES.missing("mnist-dynamic"),
    redrawn=True,
    binarisation="dynamic",
)
MNIST_THRESHOLD = replace(
    MNIST,
    name="mnist-threshold",
    title="MNIST digits 28x28, thresholded",
    levels=2,
    digest="05578adf5063a330f32341e836241df10535f571710c42ce5a2c3d82fa622327",
    preprocessing=(
        f"1 where the grey value is above {THRESHOLD}, else 0. Such images are far easier than drawn ones (about 55 to 60 nats against "
        "80): no number of this task can be held against published nats of binarised MNIST."
    ),
    builder=build_thresholded,
    missing=lambda: MNIST_FILES.missing("mnist-threshold"),
    binarisation="threshold",
)
FASHION_MNIST = replace(
    MNIST,
    name="fashion-mnist",
    title="Fashion-MNIST 28x28, 256 levels",
    digest="7e9ba1895ce9b718417be608d5e6d975b9508cd7c2fc5b1ca1bdfcf77d3f9613",
    source="Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf 2017, MIT licence); in the data folder, not shipped.",
    builder=lambda: build_grey(FASHION_FILES),
    missing=lambda: FASHION_FILES.missing("fashion-mnist"),
    obtain=FASHION_FILES.obtain,
    other_images=partial(_other_images, FASHION_FILES),
)
