"""`compress` and `decompress`: a file from which the images come back, proofs that are kept, and whatever is wrong in one sentence."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbench.cli import progress
from pixelbench.coding.container import unpack
from pixelbench.data import get_task
from pixelbench.experiments.prove import proving
from pixelbench.experiments.prove.decoding import decode_container
from pixelbench.experiments.prove.fresh_process import FreshlyDecoded
from pixelbench.experiments.prove.sources import Source
from pixelbench.store.documents.proofs import PROOF
from pixelbench.store.scan import scan
from tests.cli.cli_stores import Pixelbench, only_json
from tests.support.coded_runs import add_model
from tests.support.record_factory import add_run

RUN = ("run", "--suite", "quick", "--only", "digits/pixelcnn", "--budget", "smoke", "--device", "cpu", "--workers", "0")


@pytest.fixture(autouse=True)
def no_word_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine says where it is now and then; these tests read what is said at the end."""
    monkeypatch.setattr(progress, "EVERY_SECONDS", math.inf)


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that gets one sub-pixel wrong, and finds the checksum wrong too."""

    def decode(blob: bytes, source: Source, progress: object) -> FreshlyDecoded:
        decoded = decode_container(unpack(blob), source)
        decoded.images[1, 0, 2, 3] ^= 1
        return FreshlyDecoded(decoded.images, False, 0.0)

    monkeypatch.setattr(proving, "decode_afresh", decode)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other process, for what has nothing to do with it."""

    def decode(blob: bytes, source: Source, progress: object) -> FreshlyDecoded:
        decoded = decode_container(unpack(blob), source)
        return FreshlyDecoded(decoded.images, decoded.right, 0.0)

    monkeypatch.setattr(proving, "decode_afresh", decode)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_there_and_back(pixelbench: Pixelbench, tmp_path: Path) -> None:
    run = add_model(tmp_path / "runs", "pixelcnn")
    code, out, err = pixelbench("compress", run.record.run_key[:6], "-n", "5", "--out", "images.pbz")
    assert code == 0
    assert "all equal, in another process" in out
    size = Path("images.pbz").stat().st_size
    assert err.startswith(f"File: images.pbz, {size:,} bytes: header 180, images ")
    assert not (run.folder / PROOF).exists()
    shutil.copytree("runs", "elsewhere", ignore=shutil.ignore_patterns("work", "nats.npz"))
    shutil.rmtree("runs")
    expected = get_task("digits").load().test.images[:5]
    code, out, err = pixelbench("decompress", "images.pbz", "--results", "elsewhere", "--out", "images.npz", "--json")
    assert (code, err) == (0, "")
    assert (only_json(out)["n"], only_json(out)["run_key"]) == (5, run.record.run_key)
    with np.load("images.npz") as arrays:
        assert np.array_equal(arrays["images"], expected)
    assert pixelbench("decompress", "images.pbz", "--results", "elsewhere", "--out", "folder")[0] == 0
    shown = [pixels(path) for path in sorted(Path("folder").iterdir())]
    assert np.array_equal(np.round(np.stack(shown) * (16 / 255)), expected[:, 0])
    assert pixelbench("decompress", "images.pbz", "--results", "elsewhere", "--out", "all.png")[0] == 0
    assert pixels(Path("all.png")).size > 0
    assert sorted(path.name for path in Path().iterdir()) == ["all.png", "elsewhere", "folder", "images.npz", "images.pbz"]


@pytest.mark.usefixtures("here")
def test_a_proof_is_kept_only_where_asked_for(pixelbench: Pixelbench, tmp_path: Path) -> None:
    run = add_model(tmp_path / "runs", "gated-residual", family="gated-pixelcnn", first_layer="residual", scale=4.0)
    code, out, _ = pixelbench("compress", "digits/gated-residual", "-n", "4", "--json", "--store")
    document = only_json(out)
    assert code == 0
    assert document["causal"] is False
    assert "was coded" in document["claimed"]["difference"]
    assert document["coded"]["difference"] is None
    assert Path(document["path"]).is_file()
    kept = scan(tmp_path / "runs").examine()[run.record.run_key].proof
    assert kept is not None
    assert (kept.n_images, kept.times_claim) == (4, document["times_claim"])


@pytest.mark.usefixtures("here")
def test_a_leaking_models_two_codings_are_two_rows(pixelbench: Pixelbench, tmp_path: Path) -> None:
    add_model(tmp_path / "runs", "gated-residual", family="gated-pixelcnn", first_layer="residual", scale=4.0)
    code, out, err = pixelbench("compress", "digits/gated-residual", "-n", "4")
    assert code == 0
    assert next(line for line in out.splitlines() if "of whole images, as scored" in line).rstrip(" │").endswith("no")
    assert "of the sampler" in out
    assert "The images do not come back; the first wrong sub-pixel is image " in err
    assert "times the bytes that its likelihood claims." in err


@pytest.mark.usefixtures("wrong")
def test_images_that_do_not_come_back_are_an_exit_code_and_no_file(pixelbench: Pixelbench, tmp_path: Path) -> None:
    run = add_model(tmp_path / "runs", "pixelcnn")
    code, out, err = pixelbench("compress", "digits/pixelcnn", "-n", "3", "--out", "images.pbz", "--store")
    assert code == 1
    assert "all equal" not in out
    assert "the first wrong sub-pixel is image 1, row 2, column 3, colour 0" in err
    assert not Path("images.pbz").exists()
    assert not (run.folder / PROOF).exists()


@pytest.mark.usefixtures("here")
def test_a_damaged_file_is_named_and_nothing_is_written(pixelbench: Pixelbench, tmp_path: Path) -> None:
    add_model(tmp_path / "runs", "histogram")
    assert pixelbench("compress", "digits/histogram", "-n", "3", "--out", "images.pbz")[0] == 0
    blob = Path("images.pbz").read_bytes()
    flipped = bytearray(blob)
    flipped[-5] ^= 4
    for content, said in ((bytes(flipped), "is damaged: its SHA-256"), (blob[:-1], "is cut off"), (b"", "is not a file that")):
        Path("images.pbz").write_bytes(content)
        code, out, err = pixelbench("decompress", "images.pbz", "--out", "images.npz")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"'images.pbz' {said}" in err
        assert not Path("images.npz").exists()


@pytest.mark.usefixtures("here")
def test_wrong_weights_and_a_wrong_place_are_named(pixelbench: Pixelbench, tmp_path: Path) -> None:
    run = add_model(tmp_path / "runs", "pixelcnn")
    assert pixelbench("compress", "digits/pixelcnn", "-n", "3", "--out", "images.pbz")[0] == 0
    shutil.rmtree(run.folder)
    add_model(tmp_path / "runs", "pixelcnn", scale=1.01)
    code, _, err = pixelbench("decompress", "images.pbz", "--out", "images.npz")
    assert (code, err.count("\n")) == (2, 1)
    assert "were coded with other weights of digits/pixelcnn" in err
    shutil.rmtree("runs")
    add_model(tmp_path / "runs", "histogram")
    code, _, err = pixelbench("decompress", "images.pbz", "--out", "images.npz")
    assert (code, err.count("\n")) == (2, 1)
    assert f"coded by run {run.record.run_key}, which is not in 'runs'" in err


@pytest.mark.usefixtures("here")
def test_places_that_cannot_be_written_to_are_refused_before_anything_is_decoded(pixelbench: Pixelbench, tmp_path: Path) -> None:
    add_model(tmp_path / "runs", "histogram")
    assert pixelbench("compress", "digits/histogram", "-n", "3", "--out", "images.pbz")[0] == 0
    Path("full").mkdir()
    Path("full/file").touch()
    for out, said in (
        ("full", "is a folder with files in it"),
        ("nowhere/images.npz", "must be in a folder that exists"),
        ("images.jpg", "must end in .npz or .png"),
        ("images.pbz/x.npz", "must be in a folder that exists"),
    ):
        code, _, err = pixelbench("decompress", "images.pbz", "--out", out)
        assert (code, err.count("\n")) == (2, 1)
        assert said in err
    code, _, err = pixelbench("compress", "digits/histogram", "--out", "nowhere/images.pbz")
    assert (code, "must be a file in a folder that exists" in err) == (2, True)


@pytest.mark.parametrize(
    ("variant", "sentence"),
    [("png", "is a lossless image format"), ("pixelvae", "bits-back coding"), ("pixelcnn", "The weights of digits/pixelcnn are not in")],
)
def test_what_cannot_be_coded_is_one_sentence(pixelbench: Pixelbench, tmp_path: Path, variant: str, sentence: str) -> None:
    add_run(tmp_path / "runs", variant, 2.0, task="digits")
    code, out, err = pixelbench("compress", f"digits/{variant}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
    assert [path.name for path in Path().iterdir()] == ["runs"]


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_run_proves_what_has_no_proof_yet(pixelbench: Pixelbench) -> None:
    code, out, err = pixelbench(*RUN, "--prove", "8", "--seeds", "0", "--json")
    (row,) = only_json(out)["tasks"][0]["rows"]
    assert code == 0
    assert "digits/pixelcnn seed 0: proved, 8 test images in " in err
    assert row["proved_images"] == 8
    assert row["proved_overhead"] < 0.2
    page = Path("runs/report.md").read_text()
    assert "| proved |" in page
    code, _, err = pixelbench(*RUN, "--prove", "5", "--seeds", "0")
    assert (code, "proved," in err) == (0, False)
    code, _, err = pixelbench(*RUN, "--prove", "9", "--seeds", "0")
    assert (code, "9 test images in" in err) == (0, True)
    assert pixelbench("verify", "runs")[0] == 0


@pytest.mark.usefixtures("wrong")
def test_a_run_whose_images_do_not_come_back_is_a_fault(pixelbench: Pixelbench) -> None:
    code, _, err = pixelbench(*RUN, "--prove", "8", "--seeds", "0")
    assert code == 1
    assert "digits/pixelcnn seed 0: its test images did not come back from their bytes (image 1, row 2, column 3, colour 0:" in err
    assert not list(Path("runs").rglob(PROOF))


NETS = Path(__file__).parents[1] / "own" / "modules.py"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user's file with networks, and weights of one in `w.safetensors`."""
    import torch
    from safetensors.torch import save_file

    from tests.own.modules import make

    monkeypatch.setenv("PIXELBENCH_MODULES", "")
    shutil.copy(NETS, tmp_path / "nets.py")
    torch.manual_seed(1)
    save_file(make(17).state_dict(), tmp_path / "w.safetensors")
    return tmp_path


OWN = ("--weights", "w.safetensors", "--head", "categorical", "--input", "unit")


def test_a_module_that_no_store_has_goes_there_and_back(pixelbench: Pixelbench, own: Path) -> None:
    code, out, err = pixelbench("compress", "nets.py:make", "--task", "digits", *OWN, "-n", "3", "--out", "images.pbz")
    assert code == 0, err
    assert "all equal, in another process" in out
    assert "No leak found" in err
    assert not Path("runs").exists()
    back = ("decompress", "images.pbz", "--target", "nets.py:make", *OWN, "--out", "images.npz")
    assert pixelbench(*back)[0] == 0
    with np.load("images.npz") as arrays:
        assert np.array_equal(arrays["images"], get_task("digits").load().test.images[:3])


@pytest.mark.usefixtures("here")
def test_a_module_that_leaks_is_certified_first_and_coded_twice(pixelbench: Pixelbench, own: Path) -> None:
    code, out, _ = pixelbench("compress", "nets.py:make_leaking", "--task", "digits", "--head", "categorical", "-n", "2", "--json")
    document = only_json(out)
    assert (code, document["causal"], document["run_key"]) == (0, False, "")
    assert "Not causal" in document["certificate"]
    assert document["claimed"] is not None
    assert document["coded"]["difference"] is None


@pytest.mark.usefixtures("here")
def test_a_family_with_settings_and_no_weights_is_coded_as_it_is_made(pixelbench: Pixelbench, own: Path) -> None:
    small = ("--set", "layers=1", "--set", "maps=6", "--set", "head_maps=6")
    code, out, err = pixelbench("compress", "pixelcnn", "--task", "digits", *small, "-n", "2", "--out", "x.pbz", "--json")
    assert (code, only_json(out)["method"]) == (0, "incremental"), err
    assert pixelbench("decompress", "x.pbz", "--target", "pixelcnn", *small, "--out", "x.npz")[0] == 0
    code, _, err = pixelbench("decompress", "x.pbz", "--out", "y.npz", "--results", ".")
    assert (code, err.count("\n"), "name it with --target" in err) == (2, 1, True)
    code, _, err = pixelbench("decompress", "x.pbz", "--target", "nets.py:make", "--out", "y.npz")
    assert (code, "coded with other weights of nets.py:make" in err) == (2, True)
    assert not Path("y.npz").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("nets.py:make",), "--task"),
        (("nets.py:make", "--task", "digits", "--store"), "--store keeps the proof of a stored run"),
        (("nets.py:make_likelihood", "--task", "digits", "--head", "log_prob"), "the likelihood of whole images alone"),
        (("nets.py:make", "--task", "digits", "--weights", "none.pt"), "cannot be read"),
        (("nets.py:make_classed", "--task", "photos", "--set", "condition=class", "--set", "classes=3"), "have none"),
        (("nets.py:make_classed", "--task", "digits", "--set", "condition=class", "--set", "classes=3"), "--set classes=10"),
        (("png", "--task", "digits"), "lossless image format"),
        (("pixelvae", "--task", "digits"), "bits-back coding"),
        (("pixelcnn", "--task", "digits", "--head", "categorical"), "knows how it is read"),
        (("digits/pixelcnn", "--task", "digits"), "names no module or family"),
        (("digits/pixelcnn", "--head", "categorical"), "names no module or family"),
    ],
)
def test_wrong_use_of_a_target_is_one_sentence(pixelbench: Pixelbench, own: Path, wrong: tuple[str, ...], said: str) -> None:
    code, out, err = pixelbench("compress", *wrong)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert not list(own.glob("*.pbz"))


@pytest.mark.usefixtures("here")
def test_a_file_of_a_run_takes_no_target(pixelbench: Pixelbench, own: Path) -> None:
    add_model(own / "runs", "histogram")
    assert pixelbench("compress", "digits/histogram", "-n", "2", "--out", "x.pbz")[0] == 0
    for more, said in ((("--target", "nets.py:make"), "leave --target out"), (("--weights", "w.safetensors"), "are of a --target")):
        code, _, err = pixelbench("decompress", "x.pbz", *more, "--out", "x.npz")
        assert (code, said in err) == (2, True)
