"""What measurements say of a published figure: a pure function of plain values.

The question is equivalence, so that a wide interval cannot pass. Figure and runs score the same test images, so these are no source of
uncertainty: the interval is over seeds, Student's t at 90 %, which is two one-sided tests at 5 % each. A likelihood that is *better* than
the published one by more than the band is more often a fault than a feat, so it comes with what is known of the usual faults.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixelbench.uncertainty import clustered_interval
from pixelbench.units import nats_to_bits

Name = Literal["reproduced", "better", "worse", "inconclusive", "incomplete", "not comparable", "not causal", "no figure"]
Binarisation = Literal["fixed", "dynamic", "threshold"]

#: Two one-sided tests at 5 % each.
CONFIDENCE = 0.90
#: Fewer have no spread to speak of.
LEAST_SEEDS = 3
#: The budget that is as long as the papers trained.
WHOLE_BUDGET = "paper"
#: An interval that ends where the band ends is inside; so much is rounding.
_ROUNDING = 1e-9
#: A ratio that is so near to ln 2, or to 1 / ln 2, may be a unit converted once too often.
_NEAR = 0.02


@dataclass(frozen=True)
class FigureFacts:
    """A published figure. `band` is half as wide as what counts as equal; None: nothing is held against it.

    `printed`: the value as the paper prints it. `estimator`: `exact`, `elbo`, `iwae-K`, `bound` where the paper does not say by which
    estimator, other words for what none of our runs has, or empty where nothing is known. `split`: the paper's words. `binarisation`: None
    for images of many levels, or where it is not stated. `conditional`: the class of each image is given. `updates`: of its training.
    """

    value: float
    printed: str
    unit: str
    band: float | None
    estimator: str
    bound: bool
    split: str
    task: str
    binarisation: Binarisation | None = None
    conditional: bool = False
    assumed: tuple[str, ...] = ()
    verified: bool = True
    updates: int | None = None


@dataclass(frozen=True)
class Measured:
    """The runs of one cell. `values`: mean over the split, one a seed, in the figure's unit.

    `split`: by the name that the papers give these images. `limited`: not all images of the split were scored. `consistent`: bits/dim and
    nats of the records are the same number. `causality`: `complete`, `partial`, `leaky` or `unchecked`, of the narrow copy's map;
    `probed`: sub-pixels of the trained model at which a leak was looked for, None where it was not. `unfinished`: seeds without a number.
    """

    values: tuple[float, ...]
    unit: str
    estimator: str
    split: str
    task: str
    n_images: int
    limited: bool
    budget: str
    causality: str
    probed: int | None
    binarisation: Binarisation | None = None
    conditional: bool = False
    consistent: bool = True
    updates: int | None = None
    unfinished: int = 0

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))


@dataclass(frozen=True)
class Verdict:
    """`difference`: mean minus published, below 0 where fewer nats or bits are needed; None where the two are not held against each other.

    `interval`: 90 % over seeds, from two seeds on. `suspicious`: better by more than the band. `assumed`: what the paper does not state.
    `fraction_of_cost`: updates as a fraction of the paper's, where it states them.
    """

    name: Name
    sentence: str
    interval: tuple[float, float] | None = None
    difference: float | None = None
    n_seeds: int = 0
    suspicious: bool = False
    assumed: tuple[str, ...] = ()
    fraction_of_cost: float | None = None


def judge(figure: FigureFacts | None, measured: Measured) -> Verdict:
    """The first of these that holds:

    1. `not causal`: some run leaks; its likelihood means nothing, whatever else is true.
    2. `no figure`: nothing was published.
    3. `incomplete`: no run came to a number.
    4. `not comparable`: unit, split, binarisation, task, what is given to the model or estimator are known to differ, images were selected
       on, or the figure has no band. One exception: an estimator that can only be too high, and is lower than the band nevertheless.
    5. `incomplete`: fewer than 3 seeds, not all images, another budget than `paper`, a map that is not complete, or a trained model that
       was not probed. The sentence says where the mean lies.
    6. `reproduced`: the whole interval lies in the band, ends included; `better` or `worse`: wholly outside; else `inconclusive`.

    What the paper does not state is assumed to agree, and said to be.
    """
    n = len(measured.values)
    if measured.causality == "leaky":
        return Verdict("not causal", "Not causal: the model sees what it predicts, so that its likelihood means nothing.", n_seeds=n)
    if figure is None:
        return Verdict("no figure", f"No published figure is known for this variant on {measured.task}.", n_seeds=n)
    if not measured.values:
        return Verdict("incomplete", f"Incomplete: no run came to a number to hold against the published {figure.printed} {figure.unit}.")
    one_sided = _can_only_be_too_high(figure, measured)
    against = _reasons_against(figure, measured, one_sided)
    if figure.band is None or against:
        sentence = f"Not comparable with the published {figure.printed} {figure.unit}: {'; '.join(against)} ({_seeds(n)})."
        return Verdict("not comparable", sentence, n_seeds=n, assumed=_assumed(figure))
    return _compared(figure, measured, figure.band, one_sided)


def _compared(figure: FigureFacts, measured: Measured, band: float, one_sided: bool) -> Verdict:
    n, difference = len(measured.values), measured.mean - figure.value
    interval = clustered_interval(np.array(measured.values), np.arange(n), CONFIDENCE) if n > 1 else None
    waiting = _reasons_to_wait(measured)
    if waiting or interval is None:
        name, said = "incomplete", [f"Incomplete: {', '.join(waiting)}.", f"So far {_where(figure, measured, band)}."]
    else:
        name = _place(figure.value, band, interval)
        if one_sided and name != "better":
            why = f"the published value is {_estimator(figure.estimator)}, ours {_estimator(measured.estimator)}"
            return Verdict("not comparable", f"Not comparable: {why} ({_seeds(n)}).", n_seeds=n, assumed=_assumed(figure))
        decimals = _decimals(figure.unit)
        low, high = (f"{end:.{decimals}f}" for end in interval)
        said = [f"{name.capitalize()}: {_where(figure, measured, band)}; 90 % interval {low} to {high}."]
    suspicious = difference < -band - _ROUNDING
    if one_sided:
        said.append(f"Ours is {_estimator(measured.estimator)}, which can only be too high.")
    if suspicious:
        said.append(f"Suspicious: check causality, split, binarisation. {_checks(figure, measured)}")
    if measured.unfinished:
        said.append(f"{_seeds(measured.unfinished)} more did not come to a number.")
    assumed = _assumed(figure)
    said += _remarks(figure)
    cost = measured.updates / figure.updates if measured.updates and figure.updates else None
    if cost is not None:
        said.append(f"Trained for {100 * cost:.3g} % of the published updates.")
    return Verdict(name, " ".join(said), interval, difference, n, suspicious, assumed, cost)


def _place(value: float, band: float, interval: tuple[float, float]) -> Name:
    low, high = interval[0] - value, interval[1] - value
    if low >= -band - _ROUNDING and high <= band + _ROUNDING:
        return "reproduced"
    if high < -band - _ROUNDING:
        return "better"
    return "worse" if low > band + _ROUNDING else "inconclusive"


def _reasons_against(figure: FigureFacts, measured: Measured, one_sided: bool) -> list[str]:
    """Why the two cannot be held against each other: only what is known to differ."""
    published, ours = split_of(figure.split), split_of(measured.split)
    reasons = {
        f"a figure in {figure.unit} has no tolerance": figure.band is None,
        f"the published unit is {figure.unit}, ours {measured.unit}": figure.unit != measured.unit,
        "bits/dim and nats of the records contradict each other": not measured.consistent,
        "images were used for selection, so that their likelihood is too good": "selection" in (published, ours),
        f"the published images are '{figure.split}', ours '{measured.split}'": published not in (None, ours),
        f"the published images are task {figure.task}, ours {measured.task}": figure.task != measured.task,
        f"the published binarisation is {figure.binarisation}, ours {measured.binarisation or 'none'}": (
            figure.binarisation is not None and figure.binarisation != measured.binarisation
        ),
        f"the class of each image is given {'to the published model only' if figure.conditional else 'to ours only'}": (
            figure.conditional != measured.conditional
        ),
        f"the published value is {_estimator(figure.estimator)}, ours {_estimator(measured.estimator)}": (
            not _same_estimator(figure, measured)
            and not (one_sided and figure.band is not None and measured.mean < figure.value - figure.band - _ROUNDING)
        ),
    }
    return [reason for reason, holds in reasons.items() if holds]


def _reasons_to_wait(measured: Measured) -> list[str]:
    """What is missing until a verdict can fall."""
    n = len(measured.values)
    reasons = {
        f"{_seeds(n)} of at least {LEAST_SEEDS}": n < LEAST_SEEDS,
        f"only {measured.n_images:,} images of the split": measured.limited,
        f"budget {measured.budget} instead of {WHOLE_BUDGET}": measured.budget != WHOLE_BUDGET,
        f"causality {measured.causality}": measured.causality == "unchecked",
        "only a partial map of what the model sees": measured.causality == "partial",
        "the trained model was not probed for leaks": measured.causality != "unchecked" and not measured.probed,
    }
    return [reason for reason, holds in reasons.items() if holds]


def split_of(words: str) -> str | None:
    """`test`, `validation`, `train`; `selection` where choices were made on it; None where not stated; else the words themselves."""
    said = " ".join(words.lower().split())
    if "selection" in said or "selected" in said:
        return "selection"
    if not said or said.startswith("not stated"):
        return None
    return next((name for name in ("test", "validation", "train") if re.match(rf"{name}\b", said)), said)


def _same_estimator(figure: FigureFacts, measured: Measured) -> bool:
    """Also where the paper does not say which, or not which bound."""
    if _is_vague(figure):
        return _samples(measured.estimator) is not None and measured.estimator != "exact"
    return figure.estimator in ("", measured.estimator)


def _is_vague(figure: FigureFacts) -> bool:
    return figure.estimator == "bound" or (figure.bound and figure.estimator in ("", "exact"))


def _can_only_be_too_high(figure: FigureFacts, measured: Measured) -> bool:
    """Whether ours needs at least what the published estimator would give for the same model: a looser bound."""
    published, ours = _samples(figure.estimator), _samples(measured.estimator)
    return not _is_vague(figure) and published is not None and ours is not None and ours < published


def _samples(estimator: str) -> float | None:
    """How tight an estimator is: its number of importance samples, endless where exact; None of anything else."""
    if estimator == "exact":
        return float("inf")
    if estimator == "elbo":
        return 1.0
    found = re.fullmatch(r"iwae-(\d+)", estimator)
    return float(found[1]) if found else None


def _assumed(figure: FigureFacts) -> tuple[str, ...]:
    own = {
        "The split is not stated; the test split is assumed.": split_of(figure.split) is None,
        "The estimator is not stated; ours is assumed.": figure.estimator == "" and not figure.bound,
        "The estimator of the bound is not stated; ours is assumed.": _is_vague(figure),
    }
    return (*figure.assumed, *(sentence for sentence, holds in own.items() if holds))


def _remarks(figure: FigureFacts) -> list[str]:
    assumed = len(_assumed(figure))
    said = [f"{assumed} fact{'s are' if assumed > 1 else ' is'} assumed, since the paper does not state {'them' if assumed > 1 else 'it'}."]
    return (said if assumed else []) + ([] if figure.verified else ["The figure is from memory, not verified."])


def _where(figure: FigureFacts, measured: Measured, band: float) -> str:
    """`the mean of 3 seeds, 81.42 nats/image, is 0.12 above the published 81.30 (within the band of ± 0.505)`."""
    decimals, n = _decimals(figure.unit), len(measured.values)
    difference = measured.mean - figure.value
    side = "above" if difference >= 0 else "below"
    inside = "within" if abs(difference) <= band + _ROUNDING else "outside"
    mean = (
        f"the mean of {_seeds(n)}, {measured.mean:.{decimals}f} {measured.unit},"
        if n > 1
        else f"1 seed, {measured.mean:.{decimals}f} {measured.unit},"
    )
    return f"{mean} is {abs(difference):.{decimals}f} {side} the published {figure.printed} ({inside} the band of ± {band:.4g})"


def _checks(figure: FigureFacts, measured: Measured) -> str:
    """What is known of the usual faults behind a number that is too good."""
    found = {"complete": "no leak found (complete map", "partial": "no leak found (partial map"}.get(
        measured.causality, "not checked (no map"
    )
    probed = f", the trained model probed at {measured.probed} sub-pixels)" if measured.probed else ", the trained model not probed)"
    images = f"{'only ' if measured.limited else 'all '}{measured.n_images:,} images of the {measured.split} split"
    binarisation = f"{measured.binarisation}, published {figure.binarisation or 'not stated'}" if measured.binarisation else "none"
    said = f"Causality: {found}{probed}. Split: {images}. Binarisation: {binarisation}."
    ratio, too_often = measured.mean / figure.value, nats_to_bits(1.0)
    if any(abs(ratio * factor - 1) < _NEAR for factor in (too_often, 1 / too_often)):
        said += f" Unit: the ratio to the published value is {ratio:.3f}, near to that of nats and bits."
    return said


def _estimator(name: str) -> str:
    if name.startswith("iwae-"):
        return f"a bound by {name.removeprefix('iwae-')} importance samples"
    return {"": "of an unknown estimator", "elbo": "a bound (ELBO)", "code-length": "a code length"}.get(name, name)


def _seeds(n: int) -> str:
    return f"{n} seed{'' if n == 1 else 's'}"


def _decimals(unit: str) -> int:
    return 3 if unit == "bits/dim" else 2
