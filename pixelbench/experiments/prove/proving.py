"""Codes first test images by a model, decodes them in another process, and holds bytes against -log2 of the likelihood: by that of a
stored run, or by one that is given and is in no store.

A leaking model is coded twice: by the probabilities that it is scored by, which see whole images, so that no decoder can follow; and by
those of its sampler's process, from which the images do come back.
"""

import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from pixelbench.causality import CausalityReport
from pixelbench.coding.container import Header, images_digest, pack
from pixelbench.coding.images import Difference, encode, encode_labels, first_difference, ready
from pixelbench.coding.prediction import Method, batch_of, method_of
from pixelbench.data import Split, get_task
from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.experiments.evaluating.evaluate import CHECK_SECONDS, certified, protocol
from pixelbench.experiments.evaluating.given import GivenModel
from pixelbench.experiments.prove.decoding import torch_threads
from pixelbench.experiments.prove.fresh_process import decode_afresh
from pixelbench.experiments.prove.sources import GivenSource, RunSource, Source
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import get_family
from pixelbench.store.documents.proofs import CodedImages, Proof
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
    source = RunSource(run)
    model, test = _factorised(source.load(), source.name), _test_images(run, n)
    progress("scoring", 0, 1)
    leaky = run.record.leaky or model.leaks_by_design
    return _Coding(source, model, test, _scored(run, model, test), progress, leaky=leaky).proved()


def prove_given(
    given: GivenModel, task: str, n: int, progress: Progress = lambda what, done, total: None
) -> tuple[Proved, CausalityReport]:
    """Certify a model that is in no store, then code and decode the first `n` test images of a task by it.

    Raises:
        UserError: a codec, a model with latents or without conditionals, images that are not there, or weights that do not fit.
    """
    source, chosen = GivenSource(given), get_task(task)
    if said := _not_coded(given.target, given.target, given.settings):
        raise UserError(said)
    if said := chosen.missing():
        raise UserError(said)
    model = _factorised(source.load(), given.target)
    progress("certifying", 0, 1)
    certificate = certified(model, given.target, CHECK_SECONDS, seed=0)
    leaky = certificate.leaky or model.leaks_by_design
    progress("scoring", 0, 1)
    test = chosen.load().test[:n]
    nats = stages.score_test(model, test, protocol(chosen, given.target, given.settings)).nats
    return _Coding(source, model, test, nats, progress, leaky=leaky).proved(), certificate


def refusal(run: StoredRun) -> str | None:
    """Why a run's images cannot be coded, whatever is there of it; None where they can."""
    record = run.record
    return _not_coded(f"{record.task.name}/{record.variant.name}", record.variant.family, record.variant.settings)


def _not_coded(name: str, family_name: str, settings: dict[str, Any]) -> str | None:
    family = get_family(family_name)
    if family.kind == "codec":
        return f"{name} is a lossless image format: its likelihood is the length of a file already."
    if family.latent:
        return (
            f"{name} has latents, so that its likelihood is a bound; to code at it takes bits-back coding, which is not done here. "
            "Choose a model with an exact likelihood."
        )
    if settings.get("condition", "none") not in ("none", "class"):
        return f"{name} is conditional on more than a class, which a file would have to hold beside the images."
    return None


def _factorised(model: AutoregressiveModel, name: str) -> AutoregressiveModel:
    if not model.factorised:
        raise UserError(f"{name} gives the likelihood of whole images alone, and coding takes that of each sub-pixel in turn.")
    return model


class _Coding:
    """A model and images, and the two ways to code them."""

    def __init__(
        self, source: Source, model: AutoregressiveModel, test: Split, nats: np.ndarray, progress: Progress, *, leaky: bool
    ) -> None:
        self._source, self._progress, self._leaky = source, progress, leaky
        self._ideal_bits = float(nats_to_bits(nats.sum()))
        self._images, self._condition = test.images, stages.condition_of(model, test)
        self._method: Method = method_of(model, leaky=leaky)
        self._batch, self._threads = batch_of(model, self._method, len(test)), torch.get_num_threads()
        self._labels = test.labels if model.conditional else None
        self._classes = model.settings.classes if model.conditional else 0
        self._model = ready(model)
        self._weights = source.weights_digest()

    def proved(self) -> Proved:
        claimed = self._coded("claimed", claimed=True)[1] if self._leaky else None
        file, coded = self._coded("sequential" if self._leaky else "", claimed=False)
        labels = self._label_bytes()
        proof = Proof(
            run_key=self._source.key,
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
        back = decode_afresh(file, self._source, lambda done, total: self._progress(f"decoding{by}", done, total))
        difference = first_difference(self._model, self._batch, self._images, back.images)
        return file, CodedImages(len(stream.blob), ideal, seconds, back.seconds, _said(difference, back.right))

    def _header(self) -> Header:
        return Header(
            run_key=self._source.key,
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
