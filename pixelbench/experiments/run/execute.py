"""One run from what was asked for to its record, whatever its end."""

import contextlib
import csv
import dataclasses
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixelbench import pulse
from pixelbench.causality import CausalityReport
from pixelbench.data import TaskData, get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.codecs import code_length_bits
from pixelbench.evaluation.quality import check_statistics
from pixelbench.experiments import stages
from pixelbench.experiments.provenance import collect_provenance
from pixelbench.experiments.rehearsal import rehearse
from pixelbench.experiments.run.attempts import Attempts, forget_attempts
from pixelbench.experiments.run.certify import artifact_of, certify, certify_trained
from pixelbench.experiments.run.checkpoints import Checkpoints
from pixelbench.experiments.run.failure import ENVIRONMENT_ERRORS, death, goes_on, is_out_of_memory, is_storage, out_of_memory, raised
from pixelbench.experiments.run.memory import PeakMemory
from pixelbench.experiments.verify.present_code import present_behaviour
from pixelbench.files.atomic import write_bytes
from pixelbench.models.base import AutoregressiveModel, count_parameters
from pixelbench.models.families import get_family
from pixelbench.store.artifacts import CERTIFICATE, CURVE, NATS, SAMPLES, WEIGHTS, remove_others
from pixelbench.store.behaviour import differences
from pixelbench.store.record import Causality, Cost, Likelihood, Record, Request, RunError, Status, request_fields
from pixelbench.store.record_file import certificates_folder, read_record, write_record
from pixelbench.store.spec import RunSpec
from pixelbench.training.accumulation import micro_batches
from pixelbench.training.checkpoint import CheckpointError, DamagedCheckpoint, module_tensors, pack
from pixelbench.training.loop import CurvePoint, Trainer
from pixelbench.training.recipe import Recipe
from pixelbench.units import bits_per_dim, bits_to_nats

Emit = Callable[[dict[str, Any]], None]


class StoppedError(Exception):
    """The run ended before its record was complete; `status` says how, `error` why where somebody said so."""

    def __init__(self, status: Status, error: RunError | None = None):
        super().__init__(status)
        self.status: Status = status
        self.error = error


def execute(
    spec: RunSpec,
    folder: Path,
    *,
    device: str = "cpu",
    max_seconds: float | None = None,
    micro_batch: int | None = None,
    store: Path | None = None,
    request: Request | None = None,
    most_weights: int = 1 << 20,
    stop: Callable[[], bool | str] = lambda: False,
    emit: Emit = lambda event: None,
) -> Status:
    """Does one run and writes its artifacts, then its record; goes on from the checkpoint of an attempt that was cut off.

    Args:
        spec: what was asked for.
        folder: the run's folder in the store; the caller holds the run's lock.
        device: `cpu`, `cuda` or `cuda:N`.
        max_seconds: cap on this attempt's training; the run then ends as `timeout` and keeps its checkpoint.
        micro_batch: at most so many images of a batch at once, in training.
        store: where certificates of narrow copies and fingerprints of the code are kept for other runs; None keeps none.
        request: the command that asks for it, for the record.
        most_weights: weights of at most so many bytes become an artifact; larger ones stay in `work`.
        stop: asked between updates and between stages; True ends the run as `interrupted`, and a text says by what.
        emit: takes progress events, see `RunInProgress`.

    Returns:
        The record's status: done, failed, diverged, timeout or interrupted. A failing run is a record, not an exception.

    Raises:
        OSError: the store cannot be written; nothing says that the run has failed, and its last checkpoint stays.
    """
    run = RunInProgress(spec, folder, device, max_seconds, micro_batch, store, request, most_weights, stop, emit)
    status: Status
    try:
        run.go()
        status, error = "done", None
    except StoppedError as ended:
        status, error = ended.status, ended.error
    except Exception as fault:  # whatever a network or a driver throws is the outcome of this run, not of the suite
        if is_storage(fault):
            raise
        status, error = run.out_of_memory(fault) if is_out_of_memory(fault) else ("failed", raised(fault))
    run.finish(status, error)
    return status


class RunInProgress:
    """The stages in order, and what the record will say of them.

    Events: `{"event": "stage", "stage": check | train | evaluate | sample}`, `{"event": "progress", "update", "updates",
    "train_bits_per_dim", "validation_bits_per_dim", "seconds"}` and `{"event": "note", "text"}`, which are kept in `work/events.jsonl` as
    well, and `{"event": "saved", "update"}` after each checkpoint.
    """

    def __init__(
        self,
        spec: RunSpec,
        folder: Path,
        device: str,
        max_seconds: float | None,
        micro_batch: int | None,
        store: Path | None,
        request: Request | None,
        most_weights: int,
        stop: Callable[[], bool | str],
        emit: Emit,
    ):
        self.spec, self.folder, self.device, self.max_seconds, self.stop, self._emit = spec, folder, device, max_seconds, stop, emit
        self.store, self.request, self.most_weights, self.micro_batch = store, request, most_weights, micro_batch
        self.work = folder / "work"
        self.checkpoints = Checkpoints(self.work)
        self.saved, self._unsaved = 0, False
        self.artifacts: dict[str, bytes] = {}
        self.large_weights: bytes | None = None
        self.family = get_family(spec.family)
        precision = spec.recipe.get("precision", "fp32")
        cut = len(micro_batches(spec.recipe["batch"], micro_batch)) > 1 if spec.recipe else False
        self.provenance = collect_provenance(
            self.family,
            device=device,
            precision=precision,
            threads=torch.get_num_threads(),
            micro_batch=micro_batch if cut else None,
        )
        self.began, self.memory = time.monotonic(), PeakMemory(device)
        self.cost: dict[str, Any] = {}
        self.found: dict[str, Any] = {}
        self.behaviour: dict[str, Any] | None = None

    def go(self) -> None:
        """All stages; raises `StoppedError` where the run ends early."""
        self._forget_ended_attempt()
        self.task = get_task(self.spec.task["name"]).with_split(self.spec.split)
        if self.task.digest != self.spec.task["digest"]:
            raise UserError(f"Task '{self.task.name}' has another digest than the run asks for; plan the suite again.")
        self.behaviour = present_behaviour(self.spec, self.store)
        if self.behaviour is None and not self.family.is_own:  # else all of it has been done in miniature already
            rehearse(self.spec)
        data = self.task.in_units(stages.limited(self.task.load(), self.spec))
        self._check_recipe(data)
        if self.family.kind == "codec":
            self._encode(data)
        else:
            self._model(data)

    def _check_recipe(self, data: TaskData) -> None:
        """Whether the training can be, before anything takes time."""
        if not self.spec.recipe:
            return
        recipe, settings = Recipe(**self.spec.recipe), self.family.parse(self.spec.settings)
        counts = {"validation_images": len(data.validation), "micro_batch": self.micro_batch}
        if incompatibility := recipe.incompatibility(**counts, whole_batch=settings.whole_batch):
            raise UserError(f"{self.spec.label}: {incompatibility}.")

    def finish(self, status: Status, error: RunError | None) -> None:
        """Write the artifacts, then the record, last of all files; until then an earlier attempt's files are untouched.

        A finished run that is executed again and interrupted keeps what it had.
        """
        if status == "interrupted" and self._stored_status() == "done":
            return
        for name, content in self.artifacts.items():
            self._twice(lambda name=name, content=content: write_bytes(self.folder / name, content))
        if (weights := self.large_weights) is not None:
            self._twice(lambda: write_bytes(self.work / WEIGHTS, weights))
        record = Record(
            **request_fields(self.spec),
            **self.found,
            status=status,
            cost=Cost(seconds=time.monotonic() - self.began, peak_memory_bytes=self.memory.bytes(), **self.cost),
            provenance=self.provenance,
            request=self.request,
            behaviour=self.behaviour,
            artifacts={name: hashlib.sha256(content).hexdigest() for name, content in self.artifacts.items()},
            error=error,
        )
        self._twice(lambda: write_record(self.folder, record))
        remove_others(self.folder, self.artifacts)
        if WEIGHTS in self.artifacts:
            (self.work / WEIGHTS).unlink(missing_ok=True)
        if status == "done":
            self.checkpoints.forget()
            forget_attempts(self.folder)

    def out_of_memory(self, fault: Exception) -> tuple[Status, RunError]:
        """Status and error of an attempt that was given no more memory."""
        return death(self.folder, out_of_memory(fault, self.memory.bytes()), self.saved)

    def _encode(self, data: TaskData) -> None:
        """A lossless codec: the length of one file with all test images, per image."""
        self._stage("evaluate")
        images = data.test.images
        bits = code_length_bits(images, self.spec.task["levels"], self.spec.family) / len(images)
        nats = bits_to_nats(bits)
        shape = images.shape[1:]
        self.found["likelihood"] = Likelihood(
            bits_per_dim=float(bits_per_dim(nats, shape)),
            nats_per_image=nats,
            estimator="code-length",
            n_images=len(images),
            n_clusters=len(np.unique(data.test.clusters)),
        )

    def _model(self, data: TaskData) -> None:
        self._stage("check")
        with _beating():
            certificate = certify(self.spec, stages.build, None if self.store is None else certificates_folder(self.store))
        self.found["causality"] = _causality(certificate, None)
        self.artifacts[CERTIFICATE] = artifact_of(certificate)
        check_statistics(data.test.images[: stages.SHOWN], self.spec.task["levels"])
        model = stages.build(self.spec).to(self.device)
        self.cost["parameters"] = count_parameters(model)
        model = self._train(model, data)
        self._keep_weights(model)
        self._evaluate(model, data, certificate)

    def _keep_weights(self, model: AutoregressiveModel) -> None:
        """The weights that are evaluated (the average, where there is one): beside the record where they are small, else in `work`."""
        packed = pack(module_tensors("model", model), {"run_key": self.spec.key})
        if len(packed) <= self.most_weights:
            self.artifacts[WEIGHTS] = packed
        else:
            self.large_weights = packed

    def _train(self, model: AutoregressiveModel, data: TaskData) -> AutoregressiveModel:
        """The model to evaluate: fitted, or trained from the checkpoint if there is one."""
        self._stage("train")
        began = time.monotonic()
        if self.family.kind == "fitted":
            stages.fit(model, data, self.spec, redrawn=self.task.redrawn)
            self.cost |= {"train_seconds": time.monotonic() - began, "images_seen": len(data.train)}
            return model
        trainer = self._trainer(model, data)
        for point in trainer.run():
            self._event({"event": "progress", "updates": self.spec.updates, "seconds": trainer.seconds, **dataclasses.asdict(point)})
        batch = trainer.recipe.batch
        self.cost |= {"train_seconds": trainer.seconds, "updates": trainer.update, "images_seen": trainer.update * batch}
        self.found["selected_update"] = trainer.selected_update
        self.artifacts[CURVE] = _curve_csv(trainer.curve).encode()
        if trainer.status not in ("done", "running"):
            raise StoppedError(trainer.status, self._reason() if trainer.status == "interrupted" else None)
        return trainer.evaluated

    def _trainer(self, model: AutoregressiveModel, data: TaskData) -> Trainer:
        trainer = stages.trainer(
            model,
            data,
            self.spec,
            redrawn=self.task.redrawn,
            max_seconds=self.max_seconds,
            micro_batch=self.micro_batch,
            identity=json.dumps([self.spec.key, self.behaviour], sort_keys=True),
            accepts=self._accepts,
            save=lambda blob: self._save(trainer, blob),
            stop=lambda: bool(self.stop()),
        )
        self._resume(trainer)
        return trainer

    def _resume(self, trainer: Trainer) -> None:
        """Go on from the newest checkpoint that is whole and of this run."""
        refused: list[str] = []
        how = "starting again"
        for path, found in self.checkpoints.stored():
            try:
                if isinstance(found, str):
                    raise DamagedCheckpoint(found)
                trainer.restore(found)
            except DamagedCheckpoint as fault:  # raised before anything was restored
                refused.append(f"damaged checkpoint {path.name} ({fault}), set aside as {self.checkpoints.put_away(path)}")
            except CheckpointError as fault:
                refused.append(str(fault))
            else:
                how = f"going on from update {trainer.update}"
                break
        if refused:
            self._event({"event": "note", "text": f"{how}: {'; '.join(dict.fromkeys(refused))}"})

    def _save(self, trainer: Trainer, blob: bytes) -> None:
        """Store a checkpoint. One on the way that cannot be written is a note and tried again when the next is due; the last one must."""
        if trainer.status != "running":
            self._twice(lambda: self.checkpoints.save(blob))
        else:
            try:
                self.checkpoints.save(blob)
            except OSError as fault:
                if not self._unsaved:
                    said = f"checkpoint {self.checkpoints.newest.name} cannot be written ({fault.strerror}); training goes on without"
                    self._event({"event": "note", "text": said})
                self._unsaved = True
                return
        self.saved, self._unsaved = trainer.update, False
        self._emit({"event": "saved", "update": trainer.update})

    def _twice(self, write: Callable[[], None]) -> None:
        """Write a file that must be there, with a second try: some errors of a disk or a network do not come again."""
        try:
            write()
        except OSError as fault:
            name = Path(fault.filename).name if isinstance(fault.filename, str) else "a file"
            self._event({"event": "note", "text": f"{name} cannot be written ({fault.strerror or fault}); trying once more"})
            write()

    def _accepts(self, identity: str) -> bool:
        """Whether a checkpoint is of this run, by code that computes the same."""
        with contextlib.suppress(ValueError, TypeError):
            key, behaviour = json.loads(identity)
            return key == self.spec.key and self.behaviour is not None and not differences(self.behaviour, behaviour)
        return False

    def _evaluate(self, model: AutoregressiveModel, data: TaskData, certificate: CausalityReport) -> None:
        self._stage("evaluate")
        began = time.monotonic()
        with _beating():
            trained = certify_trained(model, self.spec)
        evidence = trained if trained.leaky and not certificate.leaky else certificate
        self.found["causality"] = _causality(certificate, trained)
        leaky = certificate.leaky or trained.leaky
        scores = stages.evaluate(model, data, self.spec, leaky=leaky)
        nats = io.BytesIO()
        np.savez(nats, nats=scores.test.nats.astype(np.float32), clusters=scores.test.clusters)
        self.artifacts[NATS] = nats.getvalue()
        self.found["likelihood"], self.found["sequential"] = scores.to_record()
        self.found["latent"] = stages.latent_use(model, data)
        self._stage("sample")
        samples = stages.draw(model, data.test.images, self.spec, leaky=leaky)
        self.found["samples"] = samples.to_record()
        if self.family.kind == "network":  # a baseline's samples are noise by design
            self.found["diagnoses"] = stages.find_faults(evidence, scores, samples)
        self.artifacts[SAMPLES] = stages.picture(samples, model, data.test, leaky=leaky)
        self.cost["evaluate_seconds"] = time.monotonic() - began

    def _forget_ended_attempt(self) -> None:
        """A run that is asked for again after its end starts again at 0; one that was cut off, interrupted, timed out or died goes on.

        So does one that started again and was cut off before it had a record of its own.
        """
        with contextlib.suppress(FileNotFoundError, UserError):
            record, attempts = read_record(self.folder), Attempts.of(self.folder)
            died = record.error is not None and record.error.type in ENVIRONMENT_ERRORS
            if record.status in ("done", "failed", "diverged") and not died and attempts.after != record.digest:
                self.checkpoints.forget()
                self._twice(lambda: Attempts(after=record.digest).keep(self.folder))

    def _stored_status(self) -> str | None:
        """How the attempt before ended; None where none did, or its record is damaged (its checkpoint may well be sound)."""
        with contextlib.suppress(FileNotFoundError, UserError):
            return read_record(self.folder).status
        return None

    def _stage(self, name: str) -> None:
        pulse.beat()
        if self.stop():
            raise StoppedError("interrupted", self._reason())
        self._event({"event": "stage", "stage": name})

    def _reason(self) -> RunError | None:
        """Why the run was stopped, where that was said."""
        why = self.stop()
        return RunError("Stopped", f"Stopped by {why}; {goes_on(self.folder)}.") if isinstance(why, str) else None

    def _event(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a line less in the log; what must be written is said where it is written
            self.work.mkdir(parents=True, exist_ok=True)
            with (self.work / "events.jsonl").open("a") as log:
                log.write(json.dumps(event, sort_keys=True) + "\n")
        self._emit(event)


@contextlib.contextmanager
def _beating() -> Iterator[None]:
    """Every call of a module is a sign of life: for the checker, which is nobody's loop and knows no pulse."""
    hook = torch.nn.modules.module.register_module_forward_pre_hook(lambda module, given: pulse.beat())
    try:
        yield
    finally:
        hook.remove()


def _curve_csv(curve: list[CurvePoint]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(CurvePoint)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in dataclasses.asdict(p).items()} for p in curve)
    return text.getvalue()


def _causality(certificate: CausalityReport, trained: CausalityReport | None) -> Causality:
    """The record's field `causality`: the narrow copy's complete map, and the trained model where it was probed.

    A leak of either counts; without one, the map that is complete speaks.
    """
    leak = trained if trained is not None and trained.leaky and not certificate.leaky else certificate
    return Causality(
        status=leak.status,
        largest_leak=leak.largest_leak,
        tolerance=leak.method.tolerance,
        counter_example=leak.counter_example,
        faults=leak.faults,
        probes=leak.method.probes,
        trained_positions=None if trained is None else trained.positions_probed,
    )
