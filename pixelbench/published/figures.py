"""Published figures: numbers of papers, of reproductions, and of what is quoted beside them, as `reference/` has them. No torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pixelbench.data import get_task, named_task
from pixelbench.data.task import Binarisation
from pixelbench.suites.schema import Claim, Suite
from pixelbench.suites.specs import row_specs
from pixelbench.units import bits_per_dim

Kind = Literal["paper", "context", "reproduction", "claim"]
#: What verdicts fall on: papers' own numbers, and claims of a suite of one's own.
JUDGED: tuple[Kind, ...] = ("paper", "claim")

#: How pixels of a published value were binarised; `any` where the source does not say, or where the value holds for all ways.
PublishedBinarisation = Literal[Binarisation, "any"]
#: What is shown beside the papers' own numbers and not judged.
CONTEXTS = {"reproduction": "a third party's reproduction", "context": "quoted for context"}

#: What a measurement may differ by and still be the same, unless the figure says otherwise: of two levels, and of more.
TOLERANCE_NATS = 0.5
TOLERANCE_BITS = 0.02


@dataclass(frozen=True)
class Figure:
    """One published number. A text that the file leaves out is empty: the source does not say.

    `paper`: whose number it is, in short, with its title, authors, venue, number on arXiv, and another address; `quoted_in`: the paper that
    prints it, where that is another. `config_name`: which of the paper's models. `value` is in `unit`; `printed` has the digits as printed,
    so 3.00 is not 3. `estimator`: exact, elbo, iwae-K, bound, density, approximate or analytic. `bound`: the source prints it as a bound.
    `updates`: of the training, where the source states them. `verified`: seen in a source; otherwise it is from memory. `assumed`: what the
    source does not state, a sentence each. `conflicts`: ids of figures, and sentences. `task` and `variant`: the cell of the suites of
    papers that measures the same; None where none does. `split`: where a task is named, it says which of the task's images are meant, see
    `on_validation`. `binarisation`: None of images of many levels, or where nothing is said. `conditional`: the class of each image is
    given.
    """

    id: str
    kind: Kind
    paper: str
    year: int
    model: str
    metric: str
    unit: str
    value: float
    printed: str
    bound: bool
    locator: str
    verified: bool
    file: str
    title: str = ""
    authors: str = ""
    venue: str = ""
    arxiv: str = ""
    url: str = ""
    quoted_in: str = ""
    config_name: str = ""
    dataset: str = ""
    preprocessing: str = ""
    split: str = ""
    estimator: str = ""
    config: str = ""
    training_cost: str = ""
    updates: int | None = None
    assumed: tuple[str, ...] = ()
    tolerance: float | None = None
    note: str = ""
    conflicts: tuple[str, ...] = ()
    task: str | None = None
    variant: str | None = None
    binarisation: PublishedBinarisation | None = None
    conditional: bool = False

    @property
    def said(self) -> str:
        """`the published 81.30`, `the claimed 81.2`"""
        return f"the {'claimed' if self.kind == 'claim' else 'published'} {self.printed}"

    @property
    def context(self) -> str:
        """The nature of a figure that is shown and not judged; empty for a paper's own number and for a claim."""
        return CONTEXTS.get(self.kind, "")

    @property
    def on_validation(self) -> bool:
        """Whether it is held against our score on the task's validation images, and not on its test images."""
        task = None if self.task is None else named_task(self.task)
        return task is not None and self.split == "validation" != task.published_split

    @property
    def band(self) -> float | None:
        """How far from `value`, in `unit`, a measurement is still the same number: the tolerance and half of the last printed digit.
        None where there is no tolerance, so no verdict."""
        tolerance = self.tolerance if self.tolerance is not None else self._usual_tolerance
        return None if tolerance is None else tolerance + 0.5 * 10.0 ** -len(self.printed.partition(".")[2])

    @property
    def _usual_tolerance(self) -> float | None:
        if (self.metric, self.unit) == ("nll_nats", "nats/image") and self.dataset == "MNIST" and self._binarised:
            return TOLERANCE_NATS
        return TOLERANCE_BITS if self.metric == "bits_per_dim" and not self._binarised else None

    @property
    def _binarised(self) -> bool:
        """Also where the file does not say so, by the task that the figure is about."""
        task = None if self.task is None else named_task(self.task)
        return self.binarisation is not None or (task is not None and task.binarisation is not None)


def figures_about(task: str, variant: str, figures: Iterable[Figure]) -> tuple[Figure, ...]:
    """Those of the figures that a variant on a task can be held against; several where papers have several.

    Those that were seen come first, of them those on test images: neither one from memory nor one on validation stands for the others.
    """
    found = [one for one in figures if (one.task, one.variant) == (task, variant)]
    return tuple(sorted(found, key=lambda one: (not one.verified, one.on_validation)))


def usual_bits(shape: tuple[int, int, int], levels: int) -> float:
    """What bits/dim may differ by and still be the same, unless somebody says otherwise; of images of two levels as many as in nats."""
    return bits_per_dim(TOLERANCE_NATS, shape) if levels == 2 else TOLERANCE_BITS


def claimed_figures(suite: Suite, file: str) -> tuple[Figure, ...]:
    """The claims of a suite as figures; `file` is what it is called."""
    return tuple(_claimed(claim, suite, file) for claim in suite.claims)


def _claimed(claim: Claim, suite: Suite, file: str) -> Figure:
    nats, task = claim.unit == "nats/image", get_task(claim.task)
    usual = usual_bits(task.shape, task.levels) if not nats else TOLERANCE_NATS if task.levels == 2 else None
    return Figure(
        id=f"claim-{claim.task}-{claim.variant}",
        kind="claim",
        paper=f"{claim.source} (claimed in {file})",
        year=0,
        model=claim.variant,
        metric="nll_nats" if nats else "bits_per_dim",
        unit=claim.unit,
        value=claim.value,
        printed=claim.printed,
        bound=False,
        locator=f"[[claim]] in {file}",
        verified=True,
        file=file,
        split=task.published_split,  # the test images, by the name that papers give them
        tolerance=usual if claim.tolerance is None else claim.tolerance,
        task=claim.task,
        variant=claim.variant,
        conditional=any(spec.settings.get("condition", "none") != "none" for spec in row_specs(suite, claim.task, claim.variant).values()),
    )
