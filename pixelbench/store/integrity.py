"""Whether a run adds up: what its record says against its own key, the files beside it, the pinned images and plain possibility.

A run that does not add up keeps its place in the store and is named with the reason, but nothing is ranked, compared or judged by it.
A file that is damaged and no evidence of the number (curve, picture, map, weights) is named and left out alone.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from pixelbench.causality.analysis.diagnosis_texts import OF_LEAKS
from pixelbench.data import Task, get_task, task_names
from pixelbench.evaluation.diagnosis import CANVAS_AGREEMENT, SCORE_RATIO
from pixelbench.models.families import FAMILIES
from pixelbench.store.artifacts import CERTIFICATE, NATS, FileSummary
from pixelbench.store.documents import measurements, proofs
from pixelbench.store.record import Likelihood, Record
from pixelbench.units import bits_per_dim

#: nats.npz holds float32, and its mean was taken before it was rounded.
_MEAN_TOLERANCE = 1e-6
#: A standard error is printed with two digits.
_ERROR_TOLERANCE = 0.05
#: A few images of a model that is nearly certain may come out below 0; more than one in a hundred cannot.
_BELOW_ZERO = 0.01
#: Above which a change is called a leak, at most: our own families compute in float64 where they are checked, other modules as they may.
_LEAK_TOLERANCE, _LEAK_TOLERANCE_OF_OTHERS = 1e-4, 0.1


@dataclass(frozen=True)
class Finding:
    """`doubts`: why the run is not believed. `damaged`: file name → why it is not used, as the end of a sentence that begins with it."""

    doubts: tuple[str, ...]
    damaged: Mapping[str, str]


def examine(record: Record, summaries: Mapping[str, FileSummary | None]) -> Finding:
    """Everything that does not add up in a run.

    Args:
        record: as it was read.
        summaries: file name → what is in it, None where there is none.
    """
    damaged = {name: said for name, found in summaries.items() if (said := _damage(name, found, record))}
    checks: tuple[Callable[[Record], list[str]], ...] = (_key, _images, _end, _possibility, _causality, _use)
    doubts = [doubt for check in checks for doubt in check(record)]
    doubts += _certificate(record, None if CERTIFICATE in damaged else summaries.get(CERTIFICATE))
    if record.likelihood is not None and record.likelihood.estimator != "code-length":
        doubts += _evidence(record, record.likelihood, summaries.get(NATS), damaged.get(NATS))
    return Finding(tuple(doubts), damaged)


def _damage(name: str, found: FileSummary | None, record: Record) -> str:
    stated = record.artifacts.get(name)
    if found is None:
        return "is missing, and the record says that the run left it" if stated else ""
    if found.fault:
        return found.fault
    if found.proof is not None:
        return proofs.contradiction(found.proof, record)
    if found.quality is not None:
        return measurements.contradiction(found.quality, record)
    return "is not the file that the run left" if stated and stated != found.sha256 else ""


def _key(record: Record) -> list[str]:
    """An edited setting, seed or key; a copy under another seed."""
    try:
        key = record.spec.key
    except ValueError:
        return ["a setting is not a finite number"]
    return [] if key == record.run_key else [f"its run key is {record.run_key}, and what it says was asked for has the key {key}"]


def _images(record: Record) -> list[str]:
    """Other images under the name of a task that ships."""
    task, pinned = record.task, _pinned(record.task.name)
    if pinned is None:
        return []
    try:
        pinned = pinned.with_split(record.spec.split)
    except ValueError as error:
        return [f"of task {task.name}, {error}"]
    names = ("digest", "channels", "height", "width", "levels", "preprocessing")
    differing = [name for name in names if getattr(task, name) != getattr(pinned, name)]
    said = [f"{name} {_brief(getattr(task, name))} instead of {_brief(getattr(pinned, name))}" for name in differing]
    return [f"its images are not those of task {task.name}: {', '.join(said)}"] if said else []


def _end(record: Record) -> list[str]:
    """A status that the rest of the record denies."""
    family = FAMILIES.get(record.variant.family)
    if record.status != "done":
        return ["it failed, and no error is given"] if record.status == "failed" and record.error is None else []
    found: list[str] = []
    if record.likelihood is None:
        found.append("it is done, and has no likelihood")
    if record.error is not None:
        found.append(f"it is done, and has an error ({_brief(record.error.type)})")
    if record.recipe is not None:
        updates, images = record.budget.updates, record.budget.updates * record.recipe.batch
        if (record.cost.updates, record.cost.images_seen) != (updates, images):
            made = f"{record.cost.updates:,} updates on {record.cost.images_seen:,} images were done"
            found.append(f"{made}, and {updates:,} on {images:,} were asked for")
        if not (record.cost.parameters and record.cost.train_seconds):
            found.append(f"it was trained, with {record.cost.parameters:,} parameters in {record.cost.train_seconds:g} seconds")
        found += _selection(record, record.recipe.select)
        ends = [stretch.until for stretch in record.provenance.earlier]
        if ends != sorted(set(ends)) or max(ends, default=0) > updates:
            found.append(f"it was trained elsewhere up to update {', '.join(f'{end:,}' for end in ends)} of {updates:,}")
    elif record.budget.updates:
        found.append("it has updates to do and no recipe")
    checked = record.causality.status != "unchecked"
    if family is not None and checked != (family.kind != "codec"):
        found.append("its causality was not checked" if not checked else "a codec has no causality to check")
    return found


def _selection(record: Record, select: str) -> list[str]:
    """Weights of a point that nobody selected, or that cannot be."""
    selected = record.selected_update
    if (selected is None) != (select == "last"):
        scored = "the last update" if selected is None else f"update {selected:,}"
        return [f"its weights are those of {scored}, and '{select}' was asked for"]
    if selected is not None and not 1 <= selected <= record.budget.updates:
        return [f"its weights are those of update {selected:,}, and {record.budget.updates:,} were asked for"]
    return []


def _possibility(record: Record) -> list[str]:
    """Numbers that contradict each other, or the family."""
    likelihood = record.likelihood
    found: list[str] = []
    for name, score in (("likelihood", likelihood), ("sequential", record.sequential)):
        if score is not None and not math.isclose(bits_per_dim(score.nats_per_image, record.task.shape), score.bits_per_dim, rel_tol=1e-6):
            found.append(f"its {name} is {score.bits_per_dim:.6g} bits/dim and {score.nats_per_image:.6g} nats, which are not one number")
    if likelihood is None:
        return found
    estimator = _estimator(record)
    if estimator is not None and likelihood.estimator != estimator:
        found.append(f"its estimator is {likelihood.estimator}, and its family's is {estimator}")
    if record.spec.split == "all-training" and likelihood.validation_bits_per_dim is not None:
        found.append("it has a score on validation images, and was trained on them")
    pinned = _pinned(record.task.name)
    if pinned is not None and pinned.sizes is not None:
        whole = pinned.sizes[2]
        requested = min(record.evaluation.test_images or whole, whole)
        if likelihood.n_images != requested:
            found.append(f"it scored {likelihood.n_images:,} images, and {requested:,} were asked for")
    return found


def _causality(record: Record) -> list[str]:
    """A leak's evidence without its verdict, the verdict without evidence, or a search that finds nothing."""
    causality, family = record.causality, FAMILIES.get(record.variant.family)
    leak, tolerance, positions = causality.largest_leak or 0.0, causality.tolerance or 0.0, causality.trained_positions or 0
    evidence = leak > tolerance or causality.counter_example is not None
    named = sorted(OF_LEAKS.keys() & {*(causality.faults or ())})
    if causality.status == "leaky":
        kept = "sees-former-images" in (causality.faults or ())  # which is no dependence between sub-pixels
        return [] if evidence or kept else ["it is called leaky, and shows no leak"]
    found = [f"its causality is {causality.status}, and it shows a leak ({leak:.2g} relative)"] if evidence else []
    if named:
        found.append(f"its causality is {causality.status}, and it names a leak ({', '.join(named)})")
    most = _LEAK_TOLERANCE if family is not None and family.is_own else _LEAK_TOLERANCE_OF_OTHERS
    if tolerance > most:
        found.append(f"only changes above {tolerance:.2g} (relative) were called leaks, which hides real ones")
    if positions > record.task.dimensions:
        found.append(f"the trained model was probed at {positions:,} sub-pixels, and its images have {record.task.dimensions:,}")
    return found


def _use(record: Record) -> list[str]:
    """Symptoms of a leak in a model that is said to have none: samples that depend on what is not drawn yet, a sampler of another score."""
    if record.leaky:
        return []
    found: list[str] = []
    agreement = None if record.samples is None else record.samples.canvas_agreement
    if agreement is not None and agreement < CANVAS_AGREEMENT:
        found.append(f"no leak is recorded, and samples from two canvases agree on {agreement:.1%} of sub-pixels")
    scored, sequential = record.likelihood, record.sequential
    if scored is not None and sequential is not None and sequential.bits_per_dim > SCORE_RATIO * scored.bits_per_dim:
        scores = f"{sequential.bits_per_dim:.4g} bits/dim in sequence and {scored.bits_per_dim:.4g} with whole images given"
        found.append(f"no leak is recorded, and it needs {scores}")
    return found


def _certificate(record: Record, found: FileSummary | None) -> list[str]:
    if found is None:
        return []
    doubts: list[str] = []
    if found.status == "leaky" and not record.leaky:
        doubts.append(f"{CERTIFICATE} shows a leak, and the record says {record.causality.status}")
    if found.status == "partial" and record.causality.status == "complete":
        doubts.append(f"{CERTIFICATE} is no complete map, and the record says complete")
    if found.shape is not None and tuple(found.shape) != record.task.shape:
        doubts.append(f"{CERTIFICATE} is of images {'x'.join(map(str, found.shape))}")
    return doubts


def _evidence(record: Record, said: Likelihood, found: FileSummary | None, damage: str | None) -> list[str]:
    """The likelihood against the nats of its images."""
    if damage or found is None or found.nats is None:
        return [f"{NATS} {damage or 'is missing'}, so nothing backs its likelihood"]
    nats = found.nats
    doubts: list[str] = []
    if nats.n_images != said.n_images:
        doubts.append(f"{NATS} holds {nats.n_images:,} images, and the record says {said.n_images:,}")
    if said.n_clusters is not None and nats.n_clusters != said.n_clusters:
        doubts.append(f"{NATS} holds {nats.n_clusters:,} clusters, and the record says {said.n_clusters:,}")
    if not math.isclose(nats.mean, said.nats_per_image, rel_tol=_MEAN_TOLERANCE, abs_tol=1e-9):
        doubts.append(f"the mean of {NATS} is {nats.mean:.6g} nats an image, and the record says {said.nats_per_image:.6g}")
    if nats.below_zero > _BELOW_ZERO * nats.n_images:
        doubts.append(f"{NATS} has {nats.below_zero:,} images below 0 nats, which no discrete model can need")
    error = None if nats.error is None else float(bits_per_dim(nats.error, record.task.shape))
    if (error is None) != (said.bits_per_dim_se is None) or not math.isclose(
        error or 0.0, said.bits_per_dim_se or 0.0, rel_tol=_ERROR_TOLERANCE, abs_tol=1e-9
    ):
        doubts.append(f"the standard error of {NATS} is {_number(error)} bits/dim, and the record says {_number(said.bits_per_dim_se)}")
    return doubts


def _estimator(record: Record) -> str | None:
    """The estimator of the family's likelihood; None of a family that is not known here."""
    family = FAMILIES.get(record.variant.family)
    if family is None:
        return None
    if family.kind == "codec":
        return "code-length"
    if not family.latent:
        return "exact"
    samples = record.evaluation.importance_samples
    return "elbo" if samples == 1 else f"iwae-{samples}"


@cache
def _pinned(name: str) -> Task | None:
    """The task whose images are pinned in the source; None for folders, and for tasks that are prepared from one."""
    task = get_task(name) if name in task_names() else None
    return None if task is None or task.mapped or not task.digest else task


def _brief(value: object) -> str:
    text = ascii(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 24 else f"{text[:15]}...{text[-1]}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"
