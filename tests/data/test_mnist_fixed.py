"""Fixed binarised MNIST: ships inside the package, is verified whole, and every way in which the file can be damaged is one sentence."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pixelbench.data import get_task
from pixelbench.data.folder import VARIABLE, data_folder, use_data_folder
from pixelbench.data.sources import mnist_fixed
from pixelbench.data.sources.mnist_fixed import MNIST_FIXED, PACKED, PUBLISHED, build_mnist_fixed
from pixelbench.errors import UserError

SIZES = {"train": 7, "valid": 5, "test": 203}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def pixels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, np.ndarray]:
    """Splits of a few images, which are made the published ones; the file is in `tmp_path`."""
    rng = np.random.default_rng(0)
    made = {name: rng.integers(0, 2, (size, 784), dtype=np.uint8) for name, size in SIZES.items()}
    monkeypatch.setattr(mnist_fixed, "PUBLISHED", {name: hashlib.sha256(split.tobytes()).hexdigest() for name, split in made.items()})
    monkeypatch.setattr(mnist_fixed, "PACKED", tmp_path / "packed.npz")
    return made


def write(path: Path, pixels: dict[str, np.ndarray]) -> None:
    np.savez(path, **{name: np.packbits(split, axis=1) for name, split in pixels.items()})  # type: ignore[arg-type]


def refusal() -> str:
    with pytest.raises(UserError) as caught:
        build_mnist_fixed()
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("; reinstall pixelbench.")
    return str(caught.value)


def test_packed_bits_give_the_pixels_and_test_images_are_dealt_out(tmp_path: Path, pixels: dict[str, np.ndarray]) -> None:
    write(tmp_path / "packed.npz", pixels)
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
    write(tmp_path / "packed.npz", pixels)
    said = refusal()
    assert said.startswith(f"The valid images in '{tmp_path / 'packed.npz'}' are not the published")
    assert hashlib.sha256(pixels["valid"].tobytes()).hexdigest() in said


def test_a_damaged_file_is_one_sentence(tmp_path: Path, pixels: dict[str, np.ndarray]) -> None:
    path = tmp_path / "packed.npz"
    assert "cannot be read as packed images (No such file" in refusal()
    write(path, pixels)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert f"'{path}' cannot be read as packed images" in refusal()
    np.savez(path, train=np.zeros((2, 98), np.uint8))
    assert f"'{path}' cannot be read as packed images (valid is not a file in the archive)" in refusal()


def test_nothing_is_unpickled(tmp_path: Path, pixels: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "packed.npz", **{name: np.array([{"a": 1}], dtype=object) for name in pixels})  # type: ignore[arg-type]
    assert "allow_pickle=False" in refusal()


def test_the_shipped_images_are_the_published_ones() -> None:
    data = get_task("mnist-fixed").load()
    assert [len(split) for split in data.splits().values()] == [50_000, 10_000, 10_000]
    for name, split in zip(PUBLISHED, data.splits().values(), strict=True):
        in_order = split.images[np.argsort(split.clusters)]
        assert hashlib.sha256(in_order.tobytes()).hexdigest() == PUBLISHED[name]


def test_they_need_neither_a_data_folder_nor_the_network(tmp_path: Path) -> None:
    """In a process of its own that has no data folder and cannot open a socket."""
    code = (
        "import socket\n"
        "def refuse(*arguments, **named): raise AssertionError('the network was used')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "from pixelbench.data import get_task\n"
        "task = get_task('mnist-fixed')\n"
        "print(task.missing(), len(task.load().test))"
    )
    environment = {"PATH": "", "HOME": str(tmp_path), VARIABLE: str(tmp_path / "nowhere"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.stdout.strip() == "None 10000", done.stderr


def test_authors_and_licence_are_named() -> None:
    assert 2_000_000 < PACKED.stat().st_size < 2_500_000  # the wheel stays below 4 MB
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert PACKED.relative_to(ROOT).as_posix() in notice
    for name in ("LeCun", "Salakhutdinov", "Larochelle", "Murray", "licence"):
        assert name in notice
        assert name in MNIST_FIXED.source


def test_a_data_folder_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "before")
    use_data_folder(None)
    assert data_folder() == Path("before")
    use_data_folder(tmp_path)
    assert data_folder() == tmp_path
    with pytest.raises(UserError, match="There is no data folder 'nowhere'"):
        use_data_folder(Path("nowhere"))
