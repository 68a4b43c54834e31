"""Codes a stored run's first test images by its model, decodes them in another process, and holds bytes against -log2 of the likelihood.

A leaking model is coded twice: by the probabilities that it is scored by, which see whole images, so that no decoder can follow; and by
those of its sampler's process, from which the images do come back.
"""

import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch

from pixelbench.coding.container import Header, images_digest, pack
from pixelbench.coding.images import Difference, encode, encode_labels, first_difference, ready
from pixelbench.coding.prediction import Method, batch_of, method_of
from pixelbench.data import Split, get_task
from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.experiments.prove.decoding import torch_threads, weights_digest
from pixelbench.experiments.prove.fresh_process import decode_afresh
from pixelbench.experiments.stored import load_run
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import get_family
from pixelbench.store.proofs import CodedImages, Proof
from pixelbench.store.scan import StoredRun
from pixelbench.units import nats_to_bits

#: Takes what is done, how many sub-pixels of it, and of how many.
Progress = Callable[[str, int, int], None]
#: What nats scored again may differ by, relative to the image's or to one nat, as `verify --rescore` allows.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Proved:
    """A file whose images came back in another process, unless `proof.coded.difference` says where they did not."""

    file: bytes
    proof: Proof


def prove(run: StoredRun, n: int, progress: Progress = lambda what, done, total: None) -> Proved:
    """Code and decode the first `n` test images that the run scored, or all of them where there are fewer.

    Raises:
        UserError: a codec, a model with latents, no weights, no images, or weights that do not give the run's stored nats.
    """
    if said := refusal(run):
        raise UserError(said)
    return _Coding(run, n, progress).proved()


def refusal(run: StoredRun) -> str | None:
    """Why a run's images cannot be coded, whatever is there of it; None where they can."""
    record = run.record
    name, family = f"{record.task.name}/{record.variant.name}", get_family(record.variant.family)
    if family.kind == "codec":
        return f"{name} is a lossless image format: its likelihood is the length of a file already."
    if family.latent:
        return (
            f"{name} has latents, so that its likelihood is a bound; to code at it takes bits-back coding, which is not done here. "
            "Choose a model with an exact likelihood."
        )
    if record.variant.settings.get("condition", "none") not in ("none", "class"):
        return f"{name} is conditional on more than a class, which a file would have to hold beside the images."
    return None


class _Coding:
    """A run's model and images, and the two ways to code them."""

    def __init__(self, run: StoredRun, n: int, progress: Progress) -> None:
        self._run, self._progress = run, progress
        model, test = load_run(run), _test_images(run, n)
        progress("scoring", 0, 1)
        self._ideal_bits = float(nats_to_bits(_scored(run, model, test).sum()))
        self._images, self._condition = test.images, stages.condition_of(model, test)
        self._method: Method = method_of(model, leaky=run.record.leaky or model.leaks_by_design)
        self._batch, self._threads = batch_of(model, self._method, len(test)), torch.get_num_threads()
        self._labels = test.labels if model.conditional else None
        self._classes = model.settings.classes if model.conditional else 0
        self._model = ready(model)
        self._weights = weights_digest(run.folder)

    def proved(self) -> Proved:
        leaky = self._run.record.leaky or self._model.leaks_by_design
        claimed = self._coded("claimed", claimed=True)[1] if leaky else None
        file, coded = self._coded("sequential" if leaky else "", claimed=False)
        labels = self._label_bytes()
        proof = Proof(
            run_key=self._run.record.run_key,
            weights=self._weights,
            n_images=len(self._images),
            coded=coded,
            header_bytes=len(file) - coded.coded_bytes - len(labels),
            label_bytes=len(labels),
            method=self._method,
            batch=self._batch,
            threads=self._threads,
            versions={"python": platform.python_version(), **{name: version(name) for name in ("torch", "constriction")}},
            claimed=claimed,
        )
        return Proved(file, proof)

    def _coded(self, which: str, *, claimed: bool) -> tuple[bytes, CodedImages]:
        """A file, and what became of it in another process."""
        by = f" by {which} probabilities" if which else ""
        began = time.monotonic()
        with torch_threads(self._threads):
            stream = encode(
                self._model,
                torch.from_numpy(self._images),
                self._condition,
                method=self._method,
                batch=self._batch,
                claimed=claimed,
                progress=lambda done, total: self._progress(f"coding{by}", done, total),
            )
        seconds = time.monotonic() - began
        ideal = stream.ideal_bits if which == "sequential" else self._ideal_bits
        if not math.isfinite(ideal):
            raise UserError("The model gives an image the probability 0, so that no number of bits is that of its likelihood.")
        file = pack(self._header(), stream.blob, self._label_bytes())
        back = decode_afresh(file, self._run.folder, lambda done, total: self._progress(f"decoding{by}", done, total))
        difference = first_difference(self._model, self._batch, self._images, back.images)
        return file, CodedImages(len(stream.blob), ideal, seconds, back.seconds, _said(difference, back.right))

    def _header(self) -> Header:
        return Header(
            run_key=self._run.record.run_key,
            shape=self._model.shape,
            levels=self._model.levels,
            n=len(self._images),
            batch=self._batch,
            threads=self._threads,
            method=self._method,
            weights=self._weights,
            images=images_digest(self._images, self._labels),
            torch=version("torch"),
            classes=self._classes,
        )

    def _label_bytes(self) -> bytes:
        return b"" if self._labels is None else encode_labels(self._labels, self._classes)


def _said(difference: Difference | None, right: bool) -> str | None:
    """What did not come back; None where all did."""
    if difference is not None:
        return difference.sentence
    return None if right else "all pixels are equal, and the checksum of images and labels is another"


def _test_images(run: StoredRun, n: int) -> Split:
    """The first `n` test images that the run scored."""
    record = run.record
    task = get_task(record.task.name).with_split(record.spec.split)
    if said := task.missing():
        raise UserError(said)
    if task.digest != record.task.digest:
        raise UserError(f"The images of task '{task.name}' are others now than those that run {record.run_key} scored.")
    return stages.limited(task.load(), record.spec).test[:n]


def _scored(run: StoredRun, model: AutoregressiveModel, test: Split) -> np.ndarray:
    """Nats (n,) of the images as the run scores them, which are those that it has stored."""
    nats, kept = stages.score_test(model, test, run.record.spec).nats, run.nats()
    if kept is not None and not np.allclose(nats, kept[0][: len(nats)], rtol=_TOLERANCE, atol=_TOLERANCE):
        name = f"{run.record.task.name}/{run.record.variant.name}"
        raise UserError(f"The weights of {name} do not give the nats that it has stored; see `pixelbench verify --rescore`.")
    return nats
