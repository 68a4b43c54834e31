"""One model on one task: exact likelihood of the test images, causality, samples, and where its number stands. Nothing is stored."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelbench.causality import CausalityReport, check_causality
from pixelbench.causality.likelihood import LikelihoodReport
from pixelbench.data import Task, TaskData, get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.likelihood import SplitLikelihood
from pixelbench.evaluation.protocol import Evaluation
from pixelbench.experiments import stages
from pixelbench.experiments.evaluating.beside import Claimed, Neighbour, beside, judge_claim
from pixelbench.experiments.foreign.likelihood import certify_likelihood
from pixelbench.experiments.foreign.own_sampler import check_own_sampler
from pixelbench.experiments.foreign.wrapped import LikelihoodModel
from pixelbench.experiments.scored import scored
from pixelbench.models.base import AutoregressiveModel, count_parameters
from pixelbench.store.record import Diagnosis, task_fields
from pixelbench.store.spec import RunSpec
from pixelbench.suites.schema import Claim

#: Seconds of the certificate, by default.
CHECK_SECONDS = 60.0
Progress = Callable[[str], None]


@dataclass(frozen=True)
class ModelEvaluation:
    """What is known of a model after its evaluation on a task's test images."""

    name: str
    task: Task
    spec: RunSpec
    """What of the protocol was asked for."""
    parameters: int
    scores: stages.Scores
    certificate: CausalityReport | None
    """None where the model has no conditionals that could be looked at."""
    sums: LikelihoodReport | None
    """Of such a model: whether the probabilities of all tiny images sum to one."""
    samples: stages.DrawnSamples | None
    picture: bytes | None
    """PNG: real images beside samples."""
    sampler: str | None
    """What is known of the module's own sampling method, where it was asked for."""
    diagnoses: tuple[Diagnosis, ...]
    neighbours: tuple[Neighbour, ...]
    """The cells of a store on the same images, the best first; none beside a bound, or a model conditional on the class."""
    claim: Claimed | None
    weights: str | None
    """SHA-256 of the weights' file."""
    seconds: float

    @property
    def likelihood(self) -> SplitLikelihood:
        """Of the test images, each predicted with the whole image given."""
        return self.scores.test

    @property
    def bits_per_dim(self) -> float:
        """Mean over the test images."""
        return self.likelihood.bits_per_dim

    @property
    def nats_per_image(self) -> float:
        """Mean over the test images."""
        return self.likelihood.nats_per_image

    @property
    def leaky(self) -> bool:
        """Whether a leak was found."""
        return self.certificate is not None and self.certificate.leaky

    @property
    def limited(self) -> bool:
        """Whether not all test images were scored."""
        return not _whole(self.task, self.likelihood.n_images, self.spec.evaluation["test_images"])

    def summary(self) -> str:
        """Some lines for people."""
        return "\n".join(self._lines())

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        test, sequential = self.scores.to_record()
        return {
            "name": self.name,
            "task": self.task.name,
            "parameters": self.parameters,
            "likelihood": vars(test),
            "sequential": None if sequential is None else vars(sequential),
            "verdict": "undecided" if self.certificate is None else self.certificate.verdict,
            "sums_to_one": None if self.sums is None else self.sums.to_json(),
            "causality": self._causality(),
            "faults": [] if self.certificate is None else list(self.certificate.faults),
            "samples": None if self.samples is None else vars(self.samples.to_record()),
            "diagnoses": [vars(diagnosis) for diagnosis in self.diagnoses],
            "neighbours": [vars(neighbour) for neighbour in self.neighbours],
            "claim": None if self.claim is None else vars(self.claim),
            "weights": self.weights,
            "seconds": self.seconds,
        }

    def _lines(self) -> list[str]:
        test, images = self.likelihood, f"{self.likelihood.n_images:,}{' of the' if self.limited else ''} test images"
        error = "" if test.bits_per_dim_se is None else f" ± {test.bits_per_dim_se:.4f}"
        at_most = "" if self.scores.estimator == "exact" else f" ({self.scores.estimator})"
        lines = [f"{self.name} on {self.task.name}: {self.parameters:,} parameters."]
        lines.append(f"{test.bits_per_dim:.4f}{error} bits/dim, {test.nats_per_image:.2f} nats/image{at_most} on {images}.")
        lines.append(self._causality())
        if (honest := self.scores.sequential) is not None:
            said = f"{honest.bits_per_dim:.4f} bits/dim, {honest.nats_per_image:.2f} nats/image on {honest.n_images} images"
            lines.append(f"Predicted in sequence, as its samples are drawn, it needs {said}: the number above means nothing.")
        lines += [f"{diagnosis.sentence}." for diagnosis in self.diagnoses]
        lines += [] if self.sampler is None else [self.sampler]
        lines += [self._place()] if self.neighbours and not self.leaky else []
        return lines + ([] if self.claim is None else [self.claim.sentence])

    def _causality(self) -> str:
        if self.certificate is not None:
            return self.certificate.summary()
        said = "No conditionals, so that no map can be made" + ("" if self.samples is not None else " and nothing can be drawn")
        return f"{said}. {'' if self.sums is None else self.sums.text().splitlines()[0]}"

    def _place(self) -> str:
        """`Between gated-pixelcnn and pixelcnn of the store; 0.31 nats behind gated-pixelcnn.`"""
        above = [one for one in self.neighbours if one.nats_per_image <= self.nats_per_image]
        below = [one for one in self.neighbours if one.nats_per_image > self.nats_per_image]
        if not above:
            return f"Ahead of all that the store has on these images; the next is {below[0].label}, {below[0].said(self.nats_per_image)}."
        place = f"Between {above[-1].label} and {below[0].label}" if below else f"Behind {above[-1].label}, the last of the store"
        best = "" if len(above) == 1 else f"; the best is {above[0].label}, {above[0].said(self.nats_per_image)}"
        return f"{place}; {above[-1].label} is {above[-1].said(self.nats_per_image)}{best}."

    def _repr_html_(self) -> str:
        """For notebooks."""
        from html import escape

        lines = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        return f"<ul>{lines}</ul>{_picture_html(self.picture)}"


def evaluate_model(
    model: AutoregressiveModel,
    task: str,
    *,
    name: str,
    settings: dict[str, Any] | None = None,
    limit: int | None = None,
    samples: int = stages.SHOWN,
    check_seconds: float | None = CHECK_SECONDS,
    seed: int = 0,
    results: Path | None = None,
    claim: Claim | None = None,
    weights: str | None = None,
    importance_samples: int = 1,
    progress: Progress = lambda doing: None,
) -> ModelEvaluation:
    """Score a model on a task's test images, certify it, and draw from it.

    Args:
        model: on its device; left in eval mode.
        task: its name.
        name: what the model is called.
        settings: of a store's run, where it is one.
        limit: at most so many test images; a number of fewer is no result.
        samples: images that are drawn; 0 draws none.
        check_seconds: of the certificate; None: until it is complete.
        seed: of what is drawn.
        results: a store whose cells on the same images it is put beside.
        claim: a number that is claimed for it.
        weights: SHA-256 of the file that its weights are from.
        importance_samples: draws by which an image is scored, where the likelihood is a bound.
        progress: takes a sentence about what is done now.

    Raises:
        UserError: the images are not there or not of the model's shape, or the model fails, or gives an image no finite likelihood.
    """
    began = time.monotonic()
    chosen = get_task(task)
    require_images_of(model, chosen, name)
    spec = protocol(chosen, name, settings, limit=limit, samples=max(samples, 1), seed=seed, importance_samples=importance_samples)
    data = chosen.in_units(_only_test(stages.limited(chosen.load(), spec)))
    model.eval()
    progress(f"Certifying {name}")
    certificate = None if isinstance(model, LikelihoodModel) else certified(model, name, check_seconds, seed)
    sums = certify_likelihood(model, name) if isinstance(model, LikelihoodModel) else None
    leaky = certificate is not None and certificate.leaky
    progress(f"Scoring {len(data.test):,} test images")
    scores = scored(model, data, spec, name, leaky=leaky)
    drawn, picture, diagnoses, own = None, None, (), None
    if samples:
        progress(f"Drawing {samples} images")
        own = check_own_sampler(model)
        drawn = stages.draw(model, data.test.images, spec, leaky=leaky, own=own)
    if drawn is not None:
        picture = stages.picture(drawn, model, data.test, leaky=leaky)
        diagnoses = stages.find_faults(certificate, scores, drawn)
    verdict = None if certificate is None else certificate.verdict
    whole = _whole(chosen, len(data.test), limit)
    return ModelEvaluation(
        name,
        chosen,
        spec,
        count_parameters(model),
        scores,
        certificate,
        sums,
        drawn,
        picture,
        drawn.sampler if drawn is not None else None if own is None else own.said(used=False),
        diagnoses,
        () if results is None or scores.estimator != "exact" or model.conditional else beside(results, chosen, scores.test),
        None if claim is None else judge_claim(claim, chosen, scores.test, verdict, whole=whole),
        weights,
        time.monotonic() - began,
    )


def require_images_of(model: AutoregressiveModel, task: Task, name: str) -> None:
    """Refuse a task whose images or classes are not the model's.

    Raises:
        UserError: they are not.
    """
    if (*task.shape, task.levels) != (*model.shape, model.levels):
        own, wanted = (f"{'x'.join(map(str, one.shape))} images of {one.levels} levels" for one in (model, task))
        raise UserError(f"{name} is for {own}, and task {task.name} has {wanted}.")
    if model.conditional and not task.classes:
        raise UserError(f"{name} is conditional on the class of each image, and task {task.name} has no labels.")
    if model.conditional and (classes := getattr(model.settings, "classes", task.classes)) != task.classes:
        raise UserError(f"{name} knows {classes} classes, and task {task.name} has {task.classes} classes.")


def _whole(task: Task, images: int, limit: int | None) -> bool:
    """Whether all test images are among so many; of a task whose number nobody knows, where there were fewer than the limit."""
    return limit is None or images < limit if task.sizes is None else images == task.sizes[2]


def certified(model: AutoregressiveModel, name: str, seconds: float | None, seed: int) -> CausalityReport:
    """The certificate of a model as it stands; of one conditional on the class, for a class."""
    target = model.certified_as(name)
    return check_causality(model.certifiable(), model.shape, levels=model.levels, seconds=seconds, seed=seed, target=target)


def protocol(
    task: Task,
    name: str,
    settings: dict[str, Any] | None = None,
    *,
    limit: int | None = None,
    samples: int = 1,
    seed: int = 0,
    importance_samples: int = 1,
) -> RunSpec:
    """What the stages ask of a run, of one that nothing is trained in."""
    evaluation = Evaluation(test_images=limit, validation_images=limit, samples=samples, importance_samples=importance_samples)
    return RunSpec(task_fields(task), name, name, 1, settings or {}, {}, "none", 0, evaluation.as_dict(), seed)


def _only_test(data: TaskData) -> TaskData:
    """Without validation images, which choices are made on: here there is none to make."""
    return replace(data, validation=data.validation[np.arange(0)])


def _picture_html(picture: bytes | None) -> str:
    from base64 import b64encode

    return "" if picture is None else f'<img alt="real images beside samples" src="data:image/png;base64,{b64encode(picture).decode()}">'
