"""Fixed binarised MNIST: both forms of the files, and every way in which they can be wrong is one sentence that names the file."""

import dataclasses
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from pixelbench.data import get_task, mnist_fixed
from pixelbench.data.folder import VARIABLE, data_folder, use_data_folder
from pixelbench.data.mnist_fixed import MNIST_FIXED, PUBLISHED, build_mnist_fixed, text_name
from pixelbench.errors import UserError

SIZES = {"train": 7, "valid": 5, "test": 203}
real_data = pytest.mark.skipif(VARIABLE not in os.environ, reason="needs the published files")


@pytest.fixture
def pixels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, np.ndarray]:
    """Splits of a few images, which are made the published ones; the data folder is `tmp_path`."""
    rng = np.random.default_rng(0)
    made = {name: rng.integers(0, 2, (size, 784), dtype=np.uint8) for name, size in SIZES.items()}
    monkeypatch.setattr(mnist_fixed, "PUBLISHED", {name: hashlib.sha256(split.tobytes()).hexdigest() for name, split in made.items()})
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "binarized_mnist").mkdir()
    return made


def write_packed(folder: Path, pixels: dict[str, np.ndarray]) -> Path:
    path = folder / "binarized_mnist" / "binarized_mnist.npz"
    np.savez(path, **{name: np.packbits(split, axis=1) for name, split in pixels.items()})  # type: ignore[arg-type]
    return path


def write_text(folder: Path, pixels: dict[str, np.ndarray]) -> None:
    for name, split in pixels.items():
        lines = "\n".join(" ".join(map(str, image)) for image in split)
        (folder / "binarized_mnist" / text_name(name)).write_text(lines + "\n")


def refusal() -> str:
    with pytest.raises(UserError) as caught:
        build_mnist_fixed()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("write", [write_packed, write_text])
def test_both_forms_give_the_published_pixels(tmp_path: Path, pixels: dict[str, np.ndarray], write) -> None:
    write(tmp_path, pixels)
    data = build_mnist_fixed()
    first = 0
    for name, split in zip(pixels, data.splits().values(), strict=True):
        assert split.labels is None
        assert sorted(split.clusters.tolist()) == list(range(first, first + SIZES[name]))
        np.testing.assert_array_equal(split.images.reshape(-1, 784), pixels[name][split.clusters - first])
        first += SIZES[name]
    assert data.test.clusters[:4].tolist() == [12, 112, 212, 13]
    assert data.validation.clusters.tolist() == [7, 8, 9, 10, 11]


def test_one_other_pixel_is_told_with_file_and_digest(tmp_path: Path, pixels: dict[str, np.ndarray]) -> None:
    pixels["valid"][2, 5] ^= 1
    digest = hashlib.sha256(pixels["valid"].tobytes()).hexdigest()
    write_text(tmp_path, pixels)
    said = refusal()
    assert said.startswith(f"The valid images in '{tmp_path / 'binarized_mnist' / 'binarized_mnist_valid.amat'}' are not the published")
    assert digest in said
    path = write_packed(tmp_path, pixels)
    assert f"'{path}'" in refusal()


def test_files_of_another_form_are_one_sentence(tmp_path: Path, pixels: dict[str, np.ndarray]) -> None:
    write_text(tmp_path, pixels)
    (tmp_path / "binarized_mnist" / text_name("test")).write_text("0 1 2\n")
    assert "binarized_mnist_test.amat' does not hold rows of 784 zeros and ones" in refusal()
    path = write_packed(tmp_path, pixels)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert f"'{path}' cannot be read as packed images" in refusal()
    np.savez(path, train=np.zeros((2, 98), np.uint8))
    assert f"'{path}' cannot be read as packed images (valid is not a file in the archive)" in refusal()


def test_nothing_is_unpickled(tmp_path: Path, pixels: dict[str, np.ndarray]) -> None:
    path = tmp_path / "binarized_mnist" / "binarized_mnist.npz"
    np.savez(path, **{name: np.array([{"a": 1}], dtype=object) for name in pixels})  # type: ignore[arg-type]
    assert "allow_pickle=False" in refusal()


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path, pixels: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    said = MNIST_FIXED.missing()
    assert said is not None
    assert said == refusal()
    assert f"'{tmp_path / 'binarized_mnist'}' does not hold them; get them with `pixelbench fetch mnist-fixed`" in said
    assert "or put binarized_mnist_train.amat" in said
    assert "--data DIR or PIXELBENCH_DATA=DIR" in said
    write_text(tmp_path, pixels)
    assert MNIST_FIXED.missing() is None
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert f"'{tmp_path / 'cache' / 'pixelbench' / 'binarized_mnist'}' does not hold them" in str(MNIST_FIXED.missing())


def test_a_data_folder_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "before")
    use_data_folder(None)
    assert data_folder() == Path("before")
    use_data_folder(tmp_path)
    assert data_folder() == tmp_path
    with pytest.raises(UserError, match="There is no data folder 'nowhere'"):
        use_data_folder(Path("nowhere"))


@real_data
def test_the_published_files_are_read_and_verified() -> None:
    data = get_task("mnist-fixed").load()
    assert [len(split) for split in data.splits().values()] == [50_000, 10_000, 10_000]
    for name, split in zip(PUBLISHED, data.splits().values(), strict=True):
        in_order = split.images[np.argsort(split.clusters)]
        assert hashlib.sha256(in_order.tobytes()).hexdigest() == PUBLISHED[name]


@real_data
def test_one_changed_bit_of_the_published_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = data_folder()
    assert folder is not None
    (tmp_path / "binarized_mnist").mkdir()
    path = tmp_path / "binarized_mnist" / "binarized_mnist.npz"
    shutil.copy(folder / "binarized_mnist" / "binarized_mnist.npz", path)
    with np.load(path) as arrays:
        changed = {name: arrays[name].copy() for name in PUBLISHED}
    changed["test"][-1, -1] ^= 1
    np.savez(path, **changed)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(UserError, match=r"test images in .*binarized_mnist\.npz' are not the published"):
        dataclasses.replace(MNIST_FIXED).builder()


def test_good_texts_beside_a_broken_archive(tmp_path: Path, pixels: dict[str, np.ndarray]) -> None:
    write_text(tmp_path, pixels)
    path = write_packed(tmp_path, pixels)
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert len(build_mnist_fixed().test) == SIZES["test"]
    pixels["valid"][2, 5] ^= 1
    write_packed(tmp_path, pixels)
    assert len(build_mnist_fixed().test) == SIZES["test"]
