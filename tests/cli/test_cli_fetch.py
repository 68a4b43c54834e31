"""`fetch`, and what `run` and `ablate` get by themselves: downloads and image folders, as a user meets them."""

import gzip
import hashlib
import json
import shutil
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelbench.data import registry
from pixelbench.data.download.files import MIRROR
from pixelbench.data.folder import VARIABLE
from pixelbench.data.sources.idx import COUNTS
from pixelbench.data.sources.mnist import MNIST, MNIST_FILES
from pixelbench.data.task import Split, TaskData, data_digest
from tests.cli.cli_stores import Pixelbench
from tests.support.image_files import usual
from tests.support.local_server import LocalServer, serving

SUITE = """
name = "mine"
default_budget = "cpu"
[budget.cpu]
updates = 1
evaluation = { test_images = 2, validation_images = 2, samples = 2 }
[[task]]
name = "NAME"
[[variant]]
name = "uniform"
family = "uniform"
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    """A server with four files of the form of MNIST, which the task `mnist` takes for the published ones."""
    monkeypatch.setitem(COUNTS, "train", 50_003)
    monkeypatch.setitem(COUNTS, "test", 5)
    files: dict[str, bytes] = {}
    arrays = []
    for part, count in (("train", 50_003), ("t10k", 5)):
        pixels, classes = np.full((count, 28, 28), count % 251, np.uint8), (np.arange(count) % 10).astype(np.uint8)
        arrays.append((pixels[:, None], classes.astype(np.int64)))
        for name, content in (
            (f"{part}-images-idx3-ubyte", struct.pack(">4I", 0x0803, *pixels.shape) + pixels.tobytes()),
            (f"{part}-labels-idx1-ubyte", struct.pack(">2I", 0x0801, count) + classes.tobytes()),
        ):
            files[f"{name}.gz"] = gzip.compress(content, 1)
            monkeypatch.setitem(MNIST_FILES.checksums, name, hashlib.md5(files[f"{name}.gz"]).hexdigest())
    images, labels = (np.concatenate(kind) for kind in zip(*arrays, strict=True))
    whole = Split(images, np.arange(50_008, dtype=np.int64), labels)
    digest = data_digest(TaskData(whole[:50_000], whole[50_000:50_003], whole[50_003:]))
    monkeypatch.setitem(registry.TASKS._entries, "mnist", replace(MNIST, digest=digest, sizes=(50_000, 3, 5)))
    with serving(files) as server:
        monkeypatch.setenv(MIRROR, server.url(""))
        yield server


def test_fetch_downloads_verifies_and_says_what_there_is(pixelbench: Pixelbench, data: Path, published: LocalServer):
    code, out, err = pixelbench("fetch", "mnist")
    assert (code, out) == (0, "")
    assert "train-images-idx3-ubyte.gz: " in err
    assert "mnist: 50,000 train, 3 validation, 5 test images, verified (digest " in err
    code, out, _ = pixelbench("fetch", "mnist", "digits", "--json")
    assert code == 0
    first, second = json.loads(out)
    assert first["images"] == {"train": 50_000, "validation": 3, "test": 5}
    assert second["name"] == "digits"
    assert len(published.seen) == 4  # nothing twice


def test_what_cannot_be_had_is_one_sentence(pixelbench: Pixelbench, data: Path):
    code, out, err = pixelbench("fetch", "cifar10")
    assert (code, out) == (2, "")
    assert err.startswith("Could not get 'cifar-10-python.tar.gz' from http://127.0.0.1:9/")
    assert err.count("\n") == 1
    code, _, err = pixelbench("fetch", "imagenet32")
    assert code == 2
    assert "which you must get yourself" in err
    code, _, err = pixelbench("fetch", "minst")
    assert code == 2
    assert "Did you mean 'mnist'?" in err


def test_skip_damaged_is_for_folders_only(pixelbench: Pixelbench, data: Path):
    code, _, err = pixelbench("fetch", "cifar10", "--skip-damaged")
    assert (code, err) == (2, "--skip-damaged is for image folders; 'cifar10' is published as a whole.\n")


def test_prepared_images_that_were_changed_on_the_disk_are_noticed(pixelbench: Pixelbench, tmp_path: Path, data: Path):
    task = f"folder:{usual(tmp_path / 'birds')}"
    assert pixelbench("fetch", task)[0] == 0
    (array,) = (data / "prepared").glob("folder-birds-*/train.npy")
    content = array.read_bytes()
    array.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    code, _, err = pixelbench("fetch", task)
    assert code == 2
    assert err.startswith("The prepared images of 'folder-birds' were changed on the disk; remove them from ")


@pytest.mark.slow
def test_run_downloads_what_it_needs(pixelbench: Pixelbench, tmp_path: Path, data: Path, published: LocalServer):
    (tmp_path / "mine.toml").write_text(SUITE.replace("NAME", "mnist"))
    assert "missing data" in pixelbench("plan", "--suite", "mine.toml")[1]
    code, _, err = pixelbench("run", "--suite", "mine.toml", "--workers", "0", "--no-fetch")
    assert code == 2
    assert not published.seen
    assert "get them with `pixelbench fetch mnist`" in err
    code, out, err = pixelbench("run", "--suite", "mine.toml", "--workers", "0")
    assert code == 0, err
    assert "uniform" in out
    assert len(published.seen) == 4


def test_a_folder_is_prepared_by_run_and_its_runs_can_be_sampled(pixelbench: Pixelbench, tmp_path: Path, data: Path):
    folder = usual(tmp_path / "birds")
    (tmp_path / "mine.toml").write_text(SUITE.replace("NAME", f"folder:{folder}"))
    code, out, err = pixelbench("run", "--suite", "mine.toml", "--workers", "0")
    assert code == 0, err
    assert "folder-birds: 3x4x3 images of 256 levels" in out
    record = json.loads(next((tmp_path / "runs" / "folder-birds" / "uniform").glob("*/record.json")).read_text())
    assert str(tmp_path) not in json.dumps(record)
    assert record["task"]["digest"]
    code, _, err = pixelbench("sample", "folder-birds/uniform", "-n", "2")
    assert code == 0, err


def test_images_in_two_splits_are_accepted_on_purpose(pixelbench: Pixelbench, tmp_path: Path, data: Path):
    """By `run` and `fetch` alike; every page then says so."""
    folder = usual(tmp_path / "birds", train=20)
    shutil.copy(folder / "train" / "00.png", folder / "valid" / "same.png")
    (folder / "train" / "left.tiff").write_bytes(b"x")
    (tmp_path / "mine.toml").write_text(SUITE.replace("NAME", f"folder:{folder}"))
    code, _, err = pixelbench("run", "--suite", "mine.toml", "--workers", "0")
    assert code == 2
    assert "1 of the 4 test images (the first: valid/same.png is train/00.png) is in an earlier split too" in err
    assert pixelbench("fetch", f"folder:{folder}")[0] == 2
    code, _, err = pixelbench("run", "--suite", "mine.toml", "--workers", "0", "--allow-overlap")
    assert code == 0, err
    assert "read: 1 (train/left.tiff)." in err
    for name in ("report.md", "report.html"):
        assert "Images of test that are in train or validation too: 1." in (tmp_path / "runs" / name).read_text()
    code, _, err = pixelbench("fetch", f"folder:{folder}")
    assert code == 0
    assert "are in train or validation too: 1. Passed over in" in err
    assert pixelbench("fetch", "digits", "--allow-overlap")[2].startswith("--allow-overlap is for image folders")


@pytest.mark.slow
def test_an_ablation_runs_on_a_folder(pixelbench: Pixelbench, tmp_path: Path, data: Path):
    folder = usual(tmp_path / "birds", size=(8, 8))
    code, out, err = pixelbench("ablate", "colour-conditioning", "--task", f"folder:{folder}", "--budget", "smoke", "--workers", "0")
    assert code == 0, err
    assert "folder-birds" in out
    assert "gated-no-colour" in out
