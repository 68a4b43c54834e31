"""A stored run's model: the very one that was scored, or a sentence."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.experiments.run.execute import execute
from pixelbench.experiments.stored import load_run
from pixelbench.store.artifacts import weights_path
from pixelbench.store.record_file import run_folder
from pixelbench.store.scan import StoredRun, scan
from tests.support.quick_run import spec_of

pytestmark = pytest.mark.usefixtures("present_code")
#: What harms a store in which the weights lie beside the record or in `work`, and what is said then.
HARMS: list[tuple[str, Callable[[Path], object], str]] = [
    ("beside", lambda weights: weights.unlink(), "is missing, and the record says that the run left it"),
    ("beside", lambda weights: weights.write_bytes(weights.read_bytes()[:-8]), "is not the file that the run left"),
    ("beside", lambda weights: flip_a_bit(weights), "is not the file that the run left"),
    ("work", lambda weights: weights.unlink(), "are not in this results folder"),
    ("work", lambda weights: weights.write_bytes(weights.read_bytes()[:-8]), "are damaged (not a PixelBench checkpoint"),
]


def flip_a_bit(path: Path) -> None:
    """The lowest bit in the middle of a file, where the weights are."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def made_in(store: Path, cell: str, most_weights: int = 1 << 20) -> Path:
    """The folder of a run that was made in `store`."""
    spec = spec_of(cell)
    folder = run_folder(store, spec)
    assert execute(spec, folder, store=store, most_weights=most_weights) == "done"
    return folder


def only_run(store: Path) -> StoredRun:
    (run,) = scan(store).examine().values()
    assert not run.doubts
    return run


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, present_code: object) -> dict[str, Path]:
    """Where the weights lie → a store with one run."""
    found = {name: tmp_path_factory.mktemp(name) for name in ("beside", "work")}
    made_in(found["beside"], "digits/gated-pixelcnn")
    made_in(found["work"], "digits/gated-pixelcnn", most_weights=0)
    return found


@pytest.mark.parametrize("where", ["beside", "work"])
def test_it_scores_the_test_images_as_the_record_says(stores: dict[str, Path], where: str):
    run = only_run(stores[where])
    images = torch.from_numpy(get_task("digits").load().test.images[:16])
    with torch.inference_mode():
        nats = -load_run(run).log_prob(images).numpy()
    kept = run.nats()
    assert kept is not None
    np.testing.assert_allclose(nats, kept[0], rtol=1e-5)


def test_a_copy_without_work_has_all_that_it_needs(stores: dict[str, Path], tmp_path: Path):
    """As a fresh clone has it: `work` is never committed."""
    copy = Path(shutil.copytree(stores["beside"], tmp_path / "copy", ignore=shutil.ignore_patterns("work")))
    assert not list(copy.rglob("work"))
    ours, theirs = (load_run(only_run(store)).sample(2, generator=torch.Generator().manual_seed(1)) for store in (stores["beside"], copy))
    assert torch.equal(ours, theirs)


def test_a_histogram_is_a_model_too(tmp_path: Path):
    made_in(tmp_path, "digits/histogram")
    assert load_run(only_run(tmp_path)).sample(2).shape == (2, 1, 8, 8)


@pytest.mark.parametrize(("where", "harm", "sentence"), HARMS)
def test_missing_and_damaged_weights_are_said(
    stores: dict[str, Path], tmp_path: Path, where: str, harm: Callable[[Path], object], sentence: str
):
    copy = Path(shutil.copytree(stores[where], tmp_path / "copy"))
    harm(weights_path(only_run(copy).folder))
    with pytest.raises(UserError) as caught:
        load_run(only_run(copy))
    assert sentence in str(caught.value)


def test_damaged_weights_cost_the_run_nothing_else(stores: dict[str, Path], tmp_path: Path):
    copy = Path(shutil.copytree(stores["beside"], tmp_path / "copy"))
    flip_a_bit(weights_path(only_run(copy).folder))
    run = only_run(copy)
    assert list(run.damaged) == ["weights.safetensors"]
    assert run.nats() is not None


def test_weights_in_work_never_stand_for_those_that_the_record_speaks_of(stores: dict[str, Path], tmp_path: Path):
    copy = Path(shutil.copytree(stores["beside"], tmp_path / "copy"))
    folder = only_run(copy).folder
    (folder / "weights.safetensors").rename(folder / "work" / "weights.safetensors")
    with pytest.raises(UserError, match="is missing, and the record says"):
        load_run(only_run(copy))


def test_weights_of_another_run_are_refused(stores: dict[str, Path], tmp_path: Path):
    copy = Path(shutil.copytree(stores["work"], tmp_path / "copy"))
    folder = only_run(copy).folder
    other = made_in(tmp_path / "other", "digits/gated-no-gates", most_weights=0)
    shutil.copy(other / "work" / "weights.safetensors", folder / "work")
    with pytest.raises(UserError, match=r"cannot be used \(they are of another run\)"):
        load_run(only_run(copy))


def test_a_codec_has_no_model(tmp_path: Path):
    made_in(tmp_path, "digits/png")
    with pytest.raises(UserError, match="no model to draw from"):
        load_run(only_run(tmp_path))
