"""A run on images of 512 levels, from a task of two-byte integers to its record."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelbench.data import registry
from pixelbench.data.sources.digits import DIGITS
from pixelbench.data.task import Split, Task, TaskData, data_digest
from pixelbench.evaluation.codecs import code_length_bits
from pixelbench.experiments.run.execute import execute
from pixelbench.store.artifacts import read_summary
from pixelbench.store.integrity import examine
from pixelbench.store.record_file import read_record
from tests.support.quick_run import spec_of

pytestmark = pytest.mark.usefixtures("present_code")


def codes(kind: str = "int16") -> TaskData:
    chance = np.random.default_rng(0)
    splits = [chance.integers(512, size=(n, 1, 3, 4)).astype(kind) for n in (40, 9, 12)]
    return TaskData(*(Split(images, np.arange(len(images), dtype=np.int64)) for images in splits))


def task(kind: str = "int16") -> Task:
    return replace(
        DIGITS,
        name=f"codes-{kind}",
        height=3,
        width=4,
        levels=512,
        digest=data_digest(codes(kind)),
        builder=lambda: codes(kind),
        sizes=(40, 9, 12),
    )


@pytest.mark.by_default(1)
@pytest.mark.parametrize("kind", ["int16", "int32"])
def test_a_run_is_trained_scored_and_sampled(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.TASKS._entries, f"codes-{kind}", task(kind))
    usual = spec_of("digits/gated-pixelcnn", updates=6)
    facts = {name: getattr(task(kind), name) for name in usual.task}
    spec = replace(usual, task=facts, settings={**usual.settings, "input_encoding": "one-hot"})
    assert execute(spec, tmp_path) == "done"
    record = read_record(tmp_path)
    assert record.task.levels == 512
    assert record.likelihood is not None
    assert record.likelihood.bits_per_dim == pytest.approx(9.0, abs=1.0)  # noise of 512 levels has 9 bits
    assert record.samples is not None
    assert not examine(record, {name: read_summary(tmp_path / name) for name in record.artifacts}).doubts


def test_other_integers_are_no_images() -> None:
    for kind in ("float32", "int64", "uint16"):
        with pytest.raises(ValueError, match="images must be uint8, int16 or int32"):
            codes(kind)


def test_a_codec_codes_no_value_that_no_byte_holds() -> None:
    with pytest.raises(ValueError, match="images must hold 0 to 255"):
        code_length_bits(codes().test.images, 512, "png")
    assert code_length_bits(codes().test.images % 256, 256, "png") > 0
