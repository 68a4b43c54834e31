"""FID and IS: only with the standard weights under these names, without unpickling anything, and equal to the formulas."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.linalg import sqrtm

from pixelbench.data import get_task
from pixelbench.data.sources.vision import torchvision
from pixelbench.errors import UserError
from pixelbench.evaluation.features import feature_set, inception

torchvision()
pytest.importorskip("torch_fidelity")

TASK = get_task("cifar10")  # for its name and channels; its images are not read


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the very network, as a file of tensors under the standard file's name."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = tmp_path_factory.mktemp("weights") / "pt_inception-2015-12-05-6726825d.safetensors"
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        patch.setattr(torch, "load", lambda *args, **kwargs: {})
        net = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path="none")
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, path)
    return path


@pytest.fixture
def named(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(inception.VARIABLE, str(weights))
    return weights


def images(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 16, (n, 3, 8, 8), np.uint8)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of 6 numbers instead of 2,048, whose distance would take minutes."""
    monkeypatch.setattr(inception, "_extracted", lambda net, layer, images, levels: torch.from_numpy(images[:, 0, 0, :6]).double())


def test_other_weights_under_the_standard_name_are_never_called_fid_or_is(named: Path, short: None) -> None:
    distance, score = inception.frechet_distance(images(8, 0), images(9, 1), 16), inception.inception_score(images(10, 0), 16)
    digest = distance.digest
    assert digest != inception.STANDARD
    assert (distance.name, score.name) == (f"Fréchet distance/inception-{digest[:8]}", f"class score/inception-{digest[:8]}")
    assert not distance.standard
    assert not score.standard
    assert (distance.n, distance.n_real, score.n, score.n_real) == (8, 9, 10, None)
    assert feature_set("inception", TASK).name == f"inception-{digest[:8]}"


def test_the_standard_digest_alone_gives_the_names(named: Path, short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mirror image: the same file, were it the standard one."""
    digest = inception.frechet_distance(images(8, 0), images(8, 1), 16).digest
    monkeypatch.setattr(inception, "STANDARD", digest)
    assert inception.frechet_distance(images(8, 0), images(8, 1), 16).name == "FID"
    assert inception.inception_score(images(10, 0), 16).name == "IS"
    assert feature_set("inception", TASK).name == "inception"


def test_the_distance_is_the_formula_on_the_features_and_nothing_between_the_same(named: Path, short: None) -> None:
    one, two = images(20, 0), images(30, 1)
    a, b = (part[:, 0, 0, :6].astype(float) for part in (one, two))
    product = np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)
    root = np.real(np.asarray(sqrtm(product)))
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2 * root)
    assert inception.frechet_distance(one, two, 16).value == pytest.approx(wanted, rel=1e-6)
    assert inception.frechet_distance(one, one, 16).value == pytest.approx(0, abs=1e-6)


def test_too_few_images_are_refused(named: Path) -> None:
    with pytest.raises(UserError, match="two samples and two real images"):
        inception.frechet_distance(images(1, 0), images(5, 0), 16)
    with pytest.raises(UserError, match="10 at least; got 9"):
        inception.inception_score(images(9, 0), 16)


def test_grey_images_are_shown_in_three_equal_channels(named: Path) -> None:
    grey = images(2, 0)[:, :1]
    found = feature_set("inception", TASK)
    np.testing.assert_array_equal(found.extract(grey, 16), found.extract(grey.repeat(3, 1), 16))


def test_without_a_file_nothing_is_downloaded_and_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(inception.VARIABLE, raising=False)
    with pytest.raises(UserError, match=f"not downloaded; name a file that you have by {inception.VARIABLE}=FILE"):
        feature_set("inception", TASK)
    monkeypatch.setenv(inception.VARIABLE, str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match="cannot be read"):
        feature_set("inception", TASK)


class Bomb:
    """Unpickled, it would leave a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_is_never_executed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Bomb(mark)))
    monkeypatch.setenv(inception.VARIABLE, str(path))
    with pytest.raises(UserError, match="cannot be read as tensors"):
        feature_set("inception", TASK)
    assert not mark.exists()


def test_tensors_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    monkeypatch.setenv(inception.VARIABLE, str(path))
    with pytest.raises(UserError, match="not a state dict of torch-fidelity's Inception V3"):
        feature_set("inception", TASK)
