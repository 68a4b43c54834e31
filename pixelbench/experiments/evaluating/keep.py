"""An evaluation as a record of a store, marked as not trained there: in tables, comparisons and `compress` it is a run like others."""

import dataclasses
import hashlib
from pathlib import Path

import torch

from pixelbench.errors import UserError
from pixelbench.experiments.evaluating.evaluate import ModelEvaluation
from pixelbench.experiments.foreign.likelihood import causality_of_likelihood
from pixelbench.experiments.provenance import collect_provenance
from pixelbench.experiments.run.certify import artifact_of, causality_of
from pixelbench.files.atomic import write_bytes
from pixelbench.files.locks import RunLock
from pixelbench.files.writable import cannot_write
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import get_family
from pixelbench.store.artifacts import CERTIFICATE, NATS, SAMPLES, WEIGHTS, remove_others
from pixelbench.store.record import GIVEN, Causality, Cost, Record, request_fields
from pixelbench.store.record_file import run_folder, write_record
from pixelbench.store.spec import RunSpec
from pixelbench.suites.schema import name_error
from pixelbench.training.checkpoint import module_tensors, pack


def keep(evaluation: ModelEvaluation, model: AutoregressiveModel, family: str, settings: dict[str, object], name: str, store: Path) -> Path:
    """Write the record of an evaluation and what backs it; returns its folder.

    Its key is of the factory, its settings, how it is read, the task, what was evaluated, and the SHA-256 of the weights.

    Raises:
        UserError: without weights or certificate there is nothing to keep, or the store cannot be written.
    """
    drawn = evaluation.samples is not None or not model.factorised
    if evaluation.weights is None or not drawn or (evaluation.certificate is None and evaluation.sums is None):
        raise UserError("--store keeps evaluations of weights from a file (--weights), with certificate and samples.")
    check_name(name)
    parsed = get_family(family).parse({**settings, "weights": evaluation.weights})
    spec = dataclasses.replace(evaluation.spec, variant=name, family=family, settings=parsed.as_dict(), budget=GIVEN)
    artifacts = _artifacts(evaluation, model, spec)
    record = _record(evaluation, model, spec, artifacts)
    folder = run_folder(store, spec)
    try:
        with RunLock(store, spec.key) as lock:
            if not lock.acquire():
                raise UserError(f"Another process writes run {spec.key}.")
            folder.mkdir(parents=True, exist_ok=True)
            for file, content in artifacts.items():
                write_bytes(folder / file, content)
            write_record(folder, record)
            remove_others(folder, record.artifacts)
    except OSError as error:
        raise UserError(cannot_write(store, error)) from error
    return folder


def check_name(name: str) -> None:
    """Refuse a name that no folder of a store can have.

    Raises:
        UserError: it holds something else than such a name.
    """
    if said := name_error(name):
        raise UserError(f"--name {said}.")


def _artifacts(evaluation: ModelEvaluation, model: AutoregressiveModel, spec: RunSpec) -> dict[str, bytes]:
    found = {NATS: evaluation.likelihood.packed(), WEIGHTS: pack(module_tensors("model", model), {"run_key": spec.key})}
    if evaluation.certificate is not None:
        found[CERTIFICATE] = artifact_of(evaluation.certificate)
    if evaluation.picture is not None:
        found[SAMPLES] = evaluation.picture
    return found


def _record(evaluation: ModelEvaluation, model: AutoregressiveModel, spec: RunSpec, artifacts: dict[str, bytes]) -> Record:
    likelihood, sequential = evaluation.scores.to_record()
    report, sums, samples = evaluation.certificate, evaluation.sums, evaluation.samples
    causality = Causality() if sums is None else causality_of_likelihood(sums)
    return Record(
        **request_fields(spec),
        status="done",
        cost=Cost(seconds=evaluation.seconds, evaluate_seconds=evaluation.seconds, parameters=evaluation.parameters),
        provenance=collect_provenance(get_family(spec.family), device=str(model.device), precision="fp32", threads=torch.get_num_threads()),
        likelihood=likelihood,
        sequential=sequential,
        causality=causality if report is None else causality_of(report, report),
        samples=None if samples is None else samples.to_record(),
        diagnoses=evaluation.diagnoses,
        artifacts={name: hashlib.sha256(content).hexdigest() for name, content in artifacts.items()},
    )
