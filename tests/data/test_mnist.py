"""MNIST in its four forms and Fashion-MNIST: read, verified, downloaded, and never taken for each other."""

import gzip
import hashlib
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelbench.data import get_task
from pixelbench.data.download.files import MIRROR
from pixelbench.data.folder import VARIABLE
from pixelbench.data.sources import mnist
from pixelbench.data.sources.idx import COUNTS, IdxSet
from pixelbench.data.sources.mnist import DRAWN_WITH, MNIST_FILES, drawn_once
from pixelbench.data.sources.vision import torchvision
from pixelbench.data.task import _verified, data_digest
from pixelbench.errors import UserError
from tests.support.local_server import serving

real_data = pytest.mark.skipif(VARIABLE not in os.environ, reason="no data folder is named")
NAMES = ("mnist", "mnist-fixed", "mnist-dynamic", "mnist-threshold")


def write_set(folder: Path, *, packed: bool = False) -> None:
    """Files of the right form with pixels of our own."""
    folder.mkdir(parents=True)
    chance = np.random.default_rng(0)
    for part, count in (("train", COUNTS["train"]), ("t10k", COUNTS["test"])):
        images = struct.pack(">4I", 0x0803, count, 28, 28) + chance.integers(0, 256, count * 784, np.uint8).tobytes()
        labels = struct.pack(">2I", 0x0801, count) + (np.arange(count) % 10).astype(np.uint8).tobytes()
        for name, content in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content, 1) if packed else content)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for small sets of the form of MNIST."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setitem(COUNTS, "train", 600)
    monkeypatch.setitem(COUNTS, "test", 100)
    _verified.cache_clear()  # what this process read from another folder
    return tmp_path


@pytest.mark.parametrize("packed", [False, True])
def test_the_idx_files_are_read_plain_or_packed(data: Path, packed: bool):
    assert MNIST_FILES.missing("mnist") is not None
    write_set(data / "MNIST" / "raw", packed=packed)
    assert MNIST_FILES.missing("mnist") is None
    images, labels = MNIST_FILES.read("test")
    assert (images.dtype, images.shape, labels.dtype) == (np.uint8, (100, 1, 28, 28), np.int64)
    assert labels[:11].tolist() == [*range(10), 0]


def test_other_pixels_are_not_taken_for_the_published_ones(data: Path):
    write_set(data / "MNIST" / "raw")
    for name in ("mnist", "mnist-dynamic", "mnist-threshold"):
        with pytest.raises(UserError, match=f"The images of task '{name}' are not the pinned ones"):
            get_task(name).load()


def test_a_cut_file_is_missing_and_a_strange_one_is_refused(data: Path):
    raw = data / "MNIST" / "raw"
    write_set(raw)
    images = raw / "t10k-images-idx3-ubyte"
    whole = images.read_bytes()
    images.write_bytes(whole[:-1])
    said = str(MNIST_FILES.missing("mnist"))
    assert f"its t10k-images-idx3-ubyte is damaged: {len(whole) - 1:,} of {len(whole):,} bytes; get them with `pixelbench fetch" in said
    images.write_bytes(b"\x01" + whole[1:])
    assert MNIST_FILES.missing("mnist") is None
    with pytest.raises(UserError, match="is not the idx file of 100x28x28 bytes"):
        MNIST_FILES.read("test")
    images.unlink()
    images.with_name(f"{images.name}.gz").write_bytes(gzip.compress(whole)[:-100])
    with pytest.raises(UserError, match="cannot be read"):
        MNIST_FILES.read("test")


def test_files_of_another_size_are_called_that(data: Path):
    raw = data / "MNIST" / "raw"
    write_set(raw)
    images = raw / "t10k-images-idx3-ubyte"
    images.write_bytes(struct.pack(">4I", 0x0803, 100, 32, 32) + bytes(100 * 1024))
    said = str(MNIST_FILES.missing("mnist"))
    assert "its t10k-images-idx3-ubyte holds 100x32x32 bytes; get them" in said
    assert "does not hold" not in said
    with pytest.raises(UserError, match="is not the idx file of 100x28x28 bytes that it should be: it holds 100x32x32 bytes"):
        MNIST_FILES.read("test")
    images.write_bytes(b"hello")
    assert "its t10k-images-idx3-ubyte is no idx file (5 bytes)" in str(MNIST_FILES.missing("mnist"))


def test_a_good_packed_file_beside_a_broken_plain_one(data: Path):
    """Cut, or with other pixels; and the other way round."""
    raw = data / "MNIST" / "raw"
    write_set(raw)
    images = raw / "t10k-images-idx3-ubyte"
    whole, packed = images.read_bytes(), images.with_name(f"{images.name}.gz")
    packed.write_bytes(gzip.compress(whole, 1))
    checksums = dict.fromkeys(MNIST_FILES.checksums, "") | {images.name: hashlib.md5(packed.read_bytes()).hexdigest()}
    files = IdxSet("MNIST", (), checksums)
    pixels = files.read("test")[0]
    for broken in (whole[:-1], b"", b"\x01" + whole[1:], whole[:-1] + bytes([whole[-1] ^ 1])):
        images.write_bytes(broken)
        assert files.missing("mnist") is None
        assert (files.read("test")[0] == pixels).all()
    images.write_bytes(whole)
    packed.write_bytes(packed.read_bytes()[:-200])
    assert (files.read("test")[0] == pixels).all()
    images.write_bytes(whole[:-1])
    assert "is damaged" in str(files.missing("mnist"))  # both are broken


def test_another_set_is_called_that(data: Path, monkeypatch: pytest.MonkeyPatch):
    write_set(data / "MNIST" / "raw")
    with pytest.raises(UserError, match=r"the files are not those of MNIST, or were changed; remove '.*raw' and run") as caught:
        get_task("mnist").load()
    assert "reinstall" not in str(caught.value)
    digest = data_digest(get_task("mnist").builder())
    monkeypatch.setattr(mnist, "FASHION_MNIST", replace(mnist.FASHION_MNIST, digest=digest))
    _verified.cache_clear()
    with pytest.raises(UserError, match="the files are those of fashion-mnist; remove"):
        get_task("mnist").load()


def test_where_nothing_can_be_downloaded_one_sentence_says_so(data: Path):
    for name in ("mnist", "fashion-mnist", "cifar10"):
        task = get_task(name)
        assert task.obtain is not None
        with pytest.raises(UserError, match=r"Could not get .* from http://127\.0\.0\.1:9"):
            task.obtain(lambda step: None)
        assert task.missing() is not None


def test_a_set_is_downloaded_verified_and_unpacked(data: Path, monkeypatch: pytest.MonkeyPatch):
    write_set(data / "published", packed=True)
    published = {path.name: path.read_bytes() for path in (data / "published").iterdir()}
    checksums = {name.removesuffix(".gz"): hashlib.md5(content).hexdigest() for name, content in published.items()}
    files = IdxSet("MNIST", ("http://unused/",), checksums)
    seen: set[str] = set()
    with serving(published) as server:
        monkeypatch.setenv(MIRROR, server.url(""))
        files.obtain(lambda step: seen.add(step.what))
        assert files.missing("mnist") is None
        (files.folder / "train-labels-idx1-ubyte").unlink()
        files.obtain(lambda step: None)
        assert len(server.seen) == 5  # only what is missing is fetched again
    assert sorted(path.name for path in files.folder.iterdir() if not path.name.startswith(".")) == sorted(checksums)
    assert seen == set(published)


def test_what_is_published_is_what_torchvision_knows():
    torchvision()
    from torchvision import datasets

    from pixelbench.data.sources import cifar, mnist

    for files, known in ((mnist.MNIST_FILES, datasets.MNIST), (mnist.FASHION_FILES, datasets.FashionMNIST)):
        assert files.mirrors == tuple(known.mirrors)
        assert files.checksums == {name.removesuffix(".gz"): md5 for name, md5 in known.resources}
    known = datasets.CIFAR10
    assert (cifar.ARCHIVE.name, *cifar.ARCHIVE.urls, cifar.ARCHIVE.md5) == (known.filename, known.url, known.tgz_md5)
    assert known.base_folder == cifar.FOLDER
    assert {name: md5 for name, (md5, _) in cifar.BATCHES.items()} == dict([*known.train_list, *known.test_list])


def test_what_is_drawn_once_is_always_the_same():
    greys = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    drawn = drawn_once(greys, np.random.RandomState(DRAWN_WITH))
    assert hashlib.sha256(drawn.tobytes()).hexdigest() == "a767b574e6be7017364df2c11d49cb68c2c4923af881e77a0ddea79ad529c333"
    assert (drawn.flat[0], drawn.flat[255]) == (0, 1)


def test_the_forms_of_mnist_are_different_tasks_with_different_digests():
    tasks = [get_task(name) for name in NAMES]
    assert len({task.digest for task in tasks}) == 4
    assert len({task.preprocessing for task in tasks}) == 4
    assert [task.levels for task in tasks] == [256, 2, 2, 2]
    assert [task.redrawn for task in tasks] == [False, False, True, False]


@real_data
@pytest.mark.parametrize("name", ["mnist", "mnist-dynamic", "mnist-threshold"])
def test_the_published_files_give_the_pinned_arrays(name: str):
    task = get_task(name)
    data = task.load()
    assert tuple(len(split) for split in data.splits().values()) == task.sizes
    assert data.test.labels is not None
    assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.test.images.max() == task.levels - 1
    assert len(np.unique(np.concatenate([split.clusters for split in data.splits().values()]))) == 70_000
    assert len(np.unique(data.train.images)) == (2 if name == "mnist-threshold" else 256)  # dynamic ones are drawn when they are used
