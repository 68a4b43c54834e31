"""A run under way: its stages in order, and the record that it ends with."""

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pixelbench import pulse
from pixelbench.causality import CausalityReport
from pixelbench.data import TaskData, get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.codecs import code_length_bits
from pixelbench.evaluation.quality import check_statistics
from pixelbench.experiments import stages
from pixelbench.experiments.provenance import collect_provenance, made_by, stretch_of
from pixelbench.experiments.rehearsal import rehearse
from pixelbench.experiments.run.certify import artifact_of, causality_of, certify, certify_trained
from pixelbench.experiments.run.compilation import compile_training, forget_decision
from pixelbench.experiments.run.failure import death, goes_on, out_of_memory
from pixelbench.experiments.run.memory import PeakMemory
from pixelbench.experiments.run.resume import Resumption, write_twice
from pixelbench.experiments.scored import scored
from pixelbench.experiments.verify.present_code import present_behaviour
from pixelbench.files.atomic import write_bytes
from pixelbench.models.base import AutoregressiveModel, count_parameters
from pixelbench.models.families import get_family
from pixelbench.models.foreign.family import ModuleSettings
from pixelbench.store.artifacts import ALWAYS_KEPT, CERTIFICATE, CURVE, NATS, SAMPLES, WEIGHTS, remove_others
from pixelbench.store.curve_file import packed_curve
from pixelbench.store.record import Cost, Likelihood, Record, Request, RunError, Status, request_fields
from pixelbench.store.record_file import certificates_folder, read_record, write_record
from pixelbench.store.spec import RunSpec
from pixelbench.training.accumulation import micro_batches
from pixelbench.training.checkpoint import module_tensors, pack
from pixelbench.training.compilers import Compile
from pixelbench.training.loop import Trainer
from pixelbench.training.recipe import Recipe
from pixelbench.training.world import ALONE, World
from pixelbench.units import bits_per_dim, bits_to_nats

if TYPE_CHECKING:
    from pixelbench.experiments.foreign.own_sampler import OwnSampler
    from pixelbench.experiments.run.ranks import Ranks

Emit = Callable[[dict[str, Any]], None]


class StoppedError(Exception):
    """The run ended before its record was complete; `status` says how, `error` why where somebody said so."""

    def __init__(self, status: Status, error: RunError | None = None):
        super().__init__(status)
        self.status: Status = status
        self.error = error


@dataclass(frozen=True)
class RunOptions:
    """How a run is executed, and what is kept of it; see `execute`."""

    device: str = "cpu"
    max_seconds: float | None = None
    micro_batch: int | None = None
    compile: Compile = "off"
    sample_batch: int | None = None
    store: Path | None = None
    request: Request | None = None
    most_weights: int = ALWAYS_KEPT


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
        options: RunOptions,
        stop: Callable[[], bool | str] = lambda: False,
        emit: Emit = lambda event: None,
        ranks: "Ranks | None" = None,
    ):
        self.ranks = ranks if get_family(spec.family).kind == "network" else None
        self.spec, self.folder, self.options, self.stop, self._emit = spec, folder, options, stop, emit
        self.work = folder / "work"
        self.resumption = Resumption(folder, spec.key, self._note, lambda update: emit({"event": "saved", "update": update}))
        self.artifacts: dict[str, bytes] = {}
        self.large_weights: bytes | None = None
        self.family = get_family(spec.family)
        precision = spec.recipe.get("precision", "fp32")
        cut = len(micro_batches(spec.recipe["batch"], options.micro_batch)) > 1 if spec.recipe else False
        self.provenance = collect_provenance(
            self.family,
            device=options.device,
            precision=precision,
            threads=torch.get_num_threads(),
            micro_batch=options.micro_batch if cut else None,
            world_size=None if self.ranks is None else self.ranks.size,
        )
        self.began, self.memory = time.monotonic(), PeakMemory(options.device)
        self.cost: dict[str, Any] = {}
        self.found: dict[str, Any] = {}

    def go(self) -> None:
        """All stages; raises `StoppedError` where the run ends early."""
        self.resumption.forget_ended_attempt()
        self.task = get_task(self.spec.task["name"]).with_split(self.spec.split)
        if self.task.digest != self.spec.task["digest"]:
            raise UserError(f"Task '{self.task.name}' has another digest than the run asks for; plan the suite again.")
        self.resumption.behaviour = present_behaviour(self.spec, self.options.store)
        if self.resumption.behaviour is None and not self.family.is_own:  # else all of it has been done in miniature already
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
        counts = {"validation_images": len(data.validation), "micro_batch": self.options.micro_batch}
        counts["world_size"] = 1 if self.ranks is None else self.ranks.size
        if incompatibility := recipe.incompatibility(**counts, whole_batch=settings.whole_batch):
            raise UserError(f"{self.spec.label}: {incompatibility}.")

    def finish(self, status: Status, error: RunError | None) -> None:
        """Write the artifacts, then the record, last of all files; until then an earlier attempt's files are untouched.

        A finished run that is executed again and interrupted keeps what it had.
        """
        if status == "interrupted" and self._stored_status() == "done":
            return
        for name, content in self.artifacts.items():
            write_twice(lambda name=name, content=content: write_bytes(self.folder / name, content), self._note)
        if (weights := self.large_weights) is not None:
            write_twice(lambda: write_bytes(self.work / WEIGHTS, weights), self._note)
        record = Record(
            **request_fields(self.spec),
            **self.found,
            status=status,
            cost=Cost(seconds=time.monotonic() - self.began, peak_memory_bytes=self.memory.bytes(), **self.cost),
            provenance=self.provenance,
            request=self.options.request,
            behaviour=self.resumption.behaviour,
            artifacts={name: hashlib.sha256(content).hexdigest() for name, content in self.artifacts.items()},
            error=error,
        )
        write_twice(lambda: write_record(self.folder, record), self._note)
        remove_others(self.folder, self.artifacts)
        if WEIGHTS in self.artifacts:
            (self.work / WEIGHTS).unlink(missing_ok=True)
        if status == "done":
            self.resumption.forget()
            forget_decision(self.work)

    def out_of_memory(self, fault: Exception) -> tuple[Status, RunError]:
        """Status and error of an attempt that was given no more memory."""
        return death(self.folder, out_of_memory(fault, self.memory.bytes()), self.resumption.saved)

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
            certificate = self._certified()
        check_statistics(data.test.images[: stages.SHOWN], self.spec.task["levels"])
        model = stages.build(self.spec).to(self.options.device)
        self.cost["parameters"] = count_parameters(model)
        self.own_sampler = self._own_sampler(model)
        model = self._train(model, data)
        self._keep_weights(model)
        self._evaluate(model, data, certificate)

    def _certified(self) -> CausalityReport | None:
        """The certificate; none of a module that gives the likelihood of whole images alone, whose probabilities sum to one instead."""
        settings = self.family.parse(self.spec.settings)
        if isinstance(settings, ModuleSettings) and settings.likelihood_alone:
            from pixelbench.experiments.foreign.likelihood import causality_of_likelihood, certify_likelihood

            self.found["causality"] = causality_of_likelihood(certify_likelihood(stages.build(self.spec), self.spec.family))
            return None
        certificate = certify(self.spec, stages.build, None if self.options.store is None else certificates_folder(self.options.store))
        self.found["causality"] = causality_of(certificate, None)
        self.artifacts[CERTIFICATE] = artifact_of(certificate)
        return certificate

    def _own_sampler(self, model: AutoregressiveModel) -> "OwnSampler | None":
        """What the sampling method is worth that a module of somebody's has itself, where it is asked for."""
        if self.family.is_own:
            return None
        from pixelbench.experiments.foreign.own_sampler import check_own_sampler

        with _beating():
            found = check_own_sampler(model)
        if found is not None and not found.usable(model):
            self._note(found.said(used=False))
        return found

    def _keep_weights(self, model: AutoregressiveModel) -> None:
        """The weights that are evaluated (the average, where there is one): beside the record where they are small, else in `work`."""
        packed = pack(module_tensors("model", model), {"run_key": self.spec.key})
        if len(packed) <= self.options.most_weights:
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
        world = ALONE if self.ranks is None else self.ranks.train(self.spec, self.options.device, self.options.micro_batch)
        with world.together():
            trainer = self._trainer(model, data, world)
        if compile_training(self.options.compile, trainer, self.work, self._note):
            self.provenance = dataclasses.replace(self.provenance, compiled=True)
        for point in trainer.run():
            self._event({"event": "progress", "updates": self.spec.updates, "seconds": trainer.seconds, **dataclasses.asdict(point)})
        batch = trainer.recipe.batch
        self.cost |= {"train_seconds": trainer.seconds, "updates": trainer.update, "images_seen": trainer.update * batch}
        self.found["selected_update"] = trainer.selected_update
        points = [(point.update, point.train_bits_per_dim, point.validation_bits_per_dim) for point in trainer.curve]
        self.artifacts[CURVE] = packed_curve(points)
        self.provenance = dataclasses.replace(self.provenance, earlier=tuple(map(stretch_of, trainer.earlier)))
        if trainer.status not in ("done", "running"):
            raise StoppedError(trainer.status, self._reason() if trainer.status == "interrupted" else None)
        return trainer.evaluated

    def _trainer(self, model: AutoregressiveModel, data: TaskData, world: World) -> Trainer:
        trainer = stages.trainer(
            model,
            data,
            self.spec,
            redrawn=self.task.redrawn,
            max_seconds=self.options.max_seconds,
            micro_batch=self.options.micro_batch,
            identity=self.resumption.identity,
            accepts=self.resumption.accepts,
            save=lambda blob: self.resumption.save(trainer, blob),
            made_by=lambda: made_by(self.provenance),
            stop=lambda: bool(self.stop()),
            world=world,
        )
        self.resumption.take_up(trainer)
        return trainer

    def _evaluate(self, model: AutoregressiveModel, data: TaskData, certificate: CausalityReport | None) -> None:
        self._stage("evaluate")
        began = time.monotonic()
        evidence = None if certificate is None else self._evidence(model, certificate)
        leaky = evidence is not None and evidence.leaky
        scores = scored(model, data, self.spec, self.spec.label, leaky=leaky, together=self._scorers)
        self.artifacts[NATS] = scores.test.packed()
        self.found["likelihood"], self.found["sequential"] = scores.to_record()
        self.found["latent"] = stages.latent_use(model, data)
        self._stage("sample")
        with _beating():
            samples = stages.draw(model, data.test.images, self.spec, leaky=leaky, own=self.own_sampler, most=self.options.sample_batch)
        if samples is not None:
            self.found["samples"] = samples.to_record()
            if self.family.kind == "network":  # a baseline's samples are noise by design
                self.found["diagnoses"] = stages.find_faults(evidence, scores, samples)
            self.artifacts[SAMPLES] = stages.picture(samples, model, data.test, leaky=leaky)
        self.cost["evaluate_seconds"] = time.monotonic() - began

    def _scorers(self) -> World:
        """The processes that share the images, which this calls."""
        return ALONE if self.ranks is None else self.ranks.score()

    def _evidence(self, model: AutoregressiveModel, certificate: CausalityReport) -> CausalityReport:
        """The narrow copy's certificate, or where only the trained model leaks, that one's."""
        with _beating():
            trained = certify_trained(model, self.spec)
        self.found["causality"] = causality_of(certificate, trained)
        return trained if trained.leaky and not certificate.leaky else certificate

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

    def _note(self, text: str) -> None:
        self._event({"event": "note", "text": text})

    def _event(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a line less in the log; what must be written is said where it is written
            self.work.mkdir(parents=True, exist_ok=True)
            with (self.work / "events.jsonl").open("a") as log:
                log.write(json.dumps(event, sort_keys=True) + "\n")
        self._emit(event)


@contextlib.contextmanager
def _beating() -> Iterator[None]:
    """Every call of a module is a sign of life: for loops that know no pulse, as the checker's and that over pixels in another order than
    raster's."""
    hook = torch.nn.modules.module.register_module_forward_pre_hook(lambda module, given: pulse.beat())
    try:
        yield
    finally:
        hook.remove()
