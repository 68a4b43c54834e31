"""One run from what was asked for to its record, whatever its end."""

import contextlib
import csv
import dataclasses
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixelbench.causality import CausalityReport
from pixelbench.data import TaskData, get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.codecs import code_length_bits
from pixelbench.experiments import stages
from pixelbench.experiments.certify import certify, certify_trained, companion
from pixelbench.experiments.failure import raised
from pixelbench.experiments.memory import PeakMemory
from pixelbench.experiments.provenance import provenance
from pixelbench.experiments.stored import save_weights
from pixelbench.models.base import AutoregressiveModel, count_parameters
from pixelbench.models.families import get_family
from pixelbench.store.atomic import write_bytes
from pixelbench.store.record import UNCHECKED, read_record, spec_fields, write_record
from pixelbench.store.spec import RunSpec
from pixelbench.training.checkpoint import CheckpointError
from pixelbench.training.loop import CurvePoint, Plan, Trainer
from pixelbench.training.recipe import Recipe
from pixelbench.training.redraw import redraw
from pixelbench.training.seeding import generator
from pixelbench.units import bits_per_dim, bits_to_nats

Emit = Callable[[dict[str, Any]], None]


class StoppedError(Exception):
    """The run ended before its record was complete; `status` says how."""

    def __init__(self, status: str):
        super().__init__(status)
        self.status = status


def execute(
    spec: RunSpec,
    folder: Path,
    *,
    device: str = "cpu",
    max_seconds: float | None = None,
    certificates: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    emit: Emit = lambda event: None,
) -> str:
    """Does one run and writes its companions, then its record; goes on from the checkpoint of an attempt that was cut off.

    Args:
        spec: what was asked for.
        folder: the run's folder in the store; the caller holds the run's lock.
        device: `cpu`, `cuda` or `cuda:N`.
        max_seconds: cap on this attempt's training; the run then ends as `timeout` and keeps its checkpoint.
        certificates: folder in which certificates of narrow copies are kept for other runs; None keeps none.
        stop: asked between updates and between stages; True ends the run as `interrupted`.
        emit: takes progress events, see `Run`.

    Returns:
        The record's status: done, failed, diverged, timeout or interrupted. A failing run is a record, not an exception.

    Raises:
        OSError: not even the record can be written.
    """
    run = Run(spec, folder, device, max_seconds, certificates, stop, emit)
    try:
        run.go()
        status, error = "done", None
    except StoppedError as ended:
        status, error = ended.status, None
    except Exception as fault:  # whatever a network, a driver or a full disk throws is the outcome of this run, not of the suite
        status, error = "failed", raised(fault)
    run.finish(status, error)
    return status


class Run:
    """The stages in order, and what the record will say of them.

    Events: `{"event": "stage", "stage": check | train | evaluate | sample}` and `{"event": "progress", "update", "updates",
    "train_bits_per_dim", "validation_bits_per_dim", "seconds"}`; they are kept in `work/events.jsonl` as well.
    """

    def __init__(
        self,
        spec: RunSpec,
        folder: Path,
        device: str,
        max_seconds: float | None,
        certificates: Path | None,
        stop: Callable[[], bool],
        emit: Emit,
    ):
        self.spec, self.folder, self.device, self.max_seconds, self.stop, self._emit = spec, folder, device, max_seconds, stop, emit
        self.certificates = certificates
        self.work = folder / "work"
        self.checkpoint = self.work / "checkpoint.safetensors"
        self.companions: dict[str, bytes] = {}
        self.family = get_family(spec.family)
        precision = spec.recipe.get("precision", "fp32")
        self.provenance = provenance(self.family, device=device, precision=precision, threads=torch.get_num_threads())
        self.began, self.memory = time.monotonic(), PeakMemory(device)
        self.cost = {"train_seconds": 0.0, "evaluate_seconds": 0.0, "parameters": 0, "updates": 0, "images_seen": 0}
        self.found: dict[str, Any] = {"likelihood": None, "sequential": None, "latent": None, "samples": None, "diagnoses": []}
        self.causality: dict[str, Any] = UNCHECKED

    def go(self) -> None:
        """All stages; raises `StoppedError` where the run ends early."""
        self._forget_ended_attempt()
        self.task = get_task(self.spec.task["name"])
        if self.task.digest != self.spec.task["digest"]:
            raise UserError(f"Task '{self.task.name}' has another digest than the run asks for; plan the suite anew.")
        data = self.task.in_units(stages.limited(self.task.load(), self.spec))
        if self.family.kind == "codec":
            self._encode(data)
        else:
            self._model(data)

    def finish(self, status: str, error: dict[str, Any] | None) -> None:
        """Writes the companions, then the record, last of all files; until then an earlier attempt's files are untouched.

        A finished run that is made anew and interrupted keeps what it had.
        """
        if status == "interrupted" and self._stored_status() == "done":
            return
        for name, content in self.companions.items():
            write_bytes(self.folder / name, content)
        self.cost |= {"seconds": time.monotonic() - self.began, "peak_memory_bytes": self.memory.bytes()}
        record = spec_fields(self.spec) | self.found
        record |= {"status": status, "causality": self.causality, "cost": self.cost, "provenance": self.provenance, "error": error}
        write_record(self.folder, record)
        if status == "done":
            self.checkpoint.unlink(missing_ok=True)

    def _encode(self, data: TaskData) -> None:
        """A lossless codec: the length of one file with all test images, per image."""
        self._stage("evaluate")
        images = data.test.images
        bits = code_length_bits(images, self.spec.task["levels"], self.spec.family) / len(images)
        nats = bits_to_nats(bits)
        shape = images.shape[1:]
        self.found["likelihood"] = {
            "bits_per_dim": float(bits_per_dim(nats, shape)),
            "bits_per_dim_se": None,
            "nats_per_image": nats,
            "estimator": "code-length",
            "n_images": len(images),
            "n_clusters": len(np.unique(data.test.clusters)),
            "validation_bits_per_dim": None,
        }

    def _model(self, data: TaskData) -> None:
        self._stage("check")
        certificate = certify(self.spec, stages.build, self.certificates)
        self.causality = _causality_json(certificate, None)
        self.companions["certificate.json"] = companion(certificate)
        model = stages.build(self.spec).to(self.device)
        self.cost["parameters"] = count_parameters(model)
        model = self._train(model, data)
        save_weights(self.folder, model, self.spec.key)
        self._evaluate(model, data, certificate)

    def _train(self, model: AutoregressiveModel, data: TaskData) -> AutoregressiveModel:
        """The model to evaluate: fitted, or trained from the checkpoint if there is one."""
        self._stage("train")
        began = time.monotonic()
        if self.family.kind == "fitted":
            images = torch.from_numpy(data.train.images)
            if self.task.redrawn:
                images = redraw(images, generator(self.spec.seed, "pixels"))
            model.fit(images)  # type: ignore[operator]
            self.cost |= {"train_seconds": time.monotonic() - began, "images_seen": len(data.train)}
            return model
        trainer = self._trainer(model, data)
        for point in trainer.run():
            self._event({"event": "progress", "updates": self.spec.updates, "seconds": trainer.seconds, **dataclasses.asdict(point)})
        batch = trainer.recipe.batch
        self.cost |= {"train_seconds": trainer.seconds, "updates": trainer.update, "images_seen": trainer.update * batch}
        self.companions["curve.csv"] = _curve_csv(trainer.curve).encode()
        if trainer.status != "done":
            raise StoppedError(trainer.status)
        return trainer.evaluated

    def _trainer(self, model: AutoregressiveModel, data: TaskData) -> Trainer:
        train, validation = stages.condition_of(model, data.train), stages.condition_of(model, data.validation)
        trainer = Trainer(
            model,
            torch.from_numpy(data.train.images),
            torch.from_numpy(data.validation.images),
            Recipe(**self.spec.recipe),
            Plan(self.spec.updates, self.spec.seed, self.max_seconds),
            redrawn=self.task.redrawn,
            conditions=None if train is None or validation is None else (train, validation),
            identity=f"{self.spec.key} {self.provenance['source_digest']}",
            save=lambda blob: write_bytes(self.checkpoint, blob),
            stop=self.stop,
        )
        if self.checkpoint.exists():
            try:
                trainer.restore(self.checkpoint.read_bytes())
            except CheckpointError as fault:  # raised before anything was restored
                self._event({"event": "note", "text": f"starting anew: {fault}"})
        return trainer

    def _evaluate(self, model: AutoregressiveModel, data: TaskData, certificate: CausalityReport) -> None:
        self._stage("evaluate")
        began = time.monotonic()
        trained = certify_trained(model, self.spec)
        evidence = trained if trained.leaky and not certificate.leaky else certificate
        self.causality = _causality_json(certificate, trained)
        leaky = certificate.leaky or trained.leaky
        scores = stages.evaluate(model, data, self.spec, leaky=leaky)
        nats = io.BytesIO()
        np.savez(nats, nats=scores.test.nats.astype(np.float32), clusters=scores.test.clusters)
        self.companions["nats.npz"] = nats.getvalue()
        self.found["likelihood"], self.found["sequential"] = scores.to_record()
        self.found["latent"] = stages.latent_use(model, data)
        self._stage("sample")
        samples = stages.draw(model, data.test.images, self.spec, leaky=leaky)
        self.found["samples"] = samples.to_record()
        if self.family.kind == "network":  # a baseline's samples are noise by design
            self.found["diagnoses"] = stages.find_faults(evidence, scores, samples)
        self.companions["samples.png"] = stages.picture(samples, model, data.test, leaky=leaky)
        self.cost["evaluate_seconds"] = time.monotonic() - began

    def _forget_ended_attempt(self) -> None:
        """A run that is asked for again after its end starts anew; one that was cut off, interrupted or timed out goes on."""
        if self._stored_status() in ("done", "failed", "diverged"):
            self.checkpoint.unlink(missing_ok=True)

    def _stored_status(self) -> str | None:
        """How the attempt before ended; None where none did, or its record is damaged (its checkpoint may well be sound)."""
        with contextlib.suppress(FileNotFoundError, UserError):
            return read_record(self.folder)["status"]
        return None

    def _stage(self, name: str) -> None:
        if self.stop():
            raise StoppedError("interrupted")
        self._event({"event": "stage", "stage": name})

    def _event(self, event: dict[str, Any]) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        with (self.work / "events.jsonl").open("a") as log:
            log.write(json.dumps(event, sort_keys=True) + "\n")
        self._emit(event)


def _curve_csv(curve: list[CurvePoint]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(CurvePoint)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in dataclasses.asdict(p).items()} for p in curve)
    return text.getvalue()


def _causality_json(certificate: CausalityReport, trained: CausalityReport | None) -> dict[str, Any]:
    """The record's field `causality`: the narrow copy's complete map, and the trained model where it was probed.

    A leak of either counts; without one, the map that is complete speaks.
    """
    leak = trained if trained is not None and trained.leaky and not certificate.leaky else certificate
    return {
        "status": leak.status,
        "largest_leak": leak.largest_leak,
        "tolerance": leak.method.tolerance,
        "counter_example": leak.counter_example,
        "faults": list(leak.faults),
        "probes": leak.method.probes,
        "trained_positions": None if trained is None else trained.positions_probed,
    }
