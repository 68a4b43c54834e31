"""`sample` on results that somebody else has made: the weights beside the record are enough, and they are the very ones."""

import shutil
from pathlib import Path

import pytest

from tests.cli.cli_stores import Pixelbench, only_json

RUN = ("run", "--suite", "quick", "--only", "digits/pixelcnn", "--budget", "smoke", "--device", "cpu", "--workers", "0")


@pytest.fixture
def clone(pixelbench: Pixelbench, tmp_path: Path) -> Path:
    """The folder of a run in a copy of a store without what is never committed, called `results`."""
    assert pixelbench(*RUN)[0] == 0
    shutil.copytree("runs", "results", ignore=shutil.ignore_patterns("work"))
    shutil.rmtree("runs")
    (folder,) = (tmp_path / "results" / "digits" / "pixelcnn").iterdir()
    assert not list((tmp_path / "results").rglob("work"))
    return folder


def test_a_clone_of_a_store_can_be_sampled(pixelbench: Pixelbench, clone: Path) -> None:
    pictures = []
    for name in ("one.png", "two.png"):
        code, out, err = pixelbench("sample", "digits/pixelcnn", "-n", "2", "--results", "results", "--out", name, "--json")
        assert (code, err) == (0, "")
        assert (only_json(out)["run_key"], only_json(out)["n"]) == (clone.name, 2)
        pictures.append(Path(name).read_bytes())
    assert pictures[0] == pictures[1] != b""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_flipped_bit_of_the_weights_is_refused_in_a_sentence(pixelbench: Pixelbench, clone: Path, place: str) -> None:
    weights = clone / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[{"first": 0, "middle": len(content) // 2, "last": -1}[place]] ^= 1
    weights.write_bytes(content)
    code, out, err = pixelbench("sample", "digits/pixelcnn", "--results", "results", "--out", "new.png")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "weights.safetensors is not the file that the run left, so nothing is done with it" in err
    assert not Path("new.png").exists()


@pytest.mark.slow
def test_a_clone_without_the_weights_says_so(pixelbench: Pixelbench, clone: Path) -> None:
    (clone / "weights.safetensors").unlink()
    code, out, err = pixelbench("sample", "digits/pixelcnn", "--results", "results")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "weights.safetensors is missing, and the record says that the run left it" in err
