"""The verdict of measurements on a published figure: a pure function of plain values.

The question is equivalence, so that a wide interval cannot pass. Figure and runs score the same test images, so these are no source of
uncertainty: the interval is over seeds, Student's t at 90 %, which is two one-sided tests at 5 % each. A likelihood that is *better* than
the published one by more than the band is more often a fault than a feat, so it comes with what is known of the usual faults.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixelbench.published.comparability import (
    ROUNDING,
    Measured,
    estimator_in_words,
    estimators,
    is_vague,
    reasons_against,
    same_estimator,
    seed_list,
    seeds_in_words,
    split_of,
)
from pixelbench.published.figures import Figure
from pixelbench.statistics import clustered_interval
from pixelbench.units import nats_to_bits

Name = Literal["reproduced", "better", "worse", "inconclusive", "incomplete", "not comparable", "not causal", "no figure"]

#: A sign for each verdict, so that none is told by its colour alone.
SIGNS: dict[Name, str] = {
    "reproduced": "✓",
    "better": "▲",
    "worse": "▼",
    "inconclusive": "≈",
    "incomplete": "◔",
    "not comparable": "≠",
    "not causal": "✕",
    "no figure": "–",
}
#: Verdicts that say how measurement and figure stand to each other; the others say why they do not yet.
DECIDED: tuple[Name, ...] = ("reproduced", "better", "worse")
#: Two one-sided tests at 5 % each.
CONFIDENCE = 0.90
#: A ratio that is so near to ln 2, or to 1 / ln 2, may be a unit converted once too often.
_NEAR = 0.02


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

    @property
    def sign(self) -> str:
        """Of its name."""
        return SIGNS[self.name]

    @property
    def decided(self) -> bool:
        """Whether it says how measurement and figure stand to each other."""
        return self.name in DECIDED


def judge(figure: Figure | None, measured: Measured) -> Verdict:
    """The first of these that holds:

    1. `not causal`: some run leaks; its likelihood means nothing, whatever else is true.
    2. `no figure`: nothing was published.
    3. `not comparable`: not the row of the suite that the figure is about; unit, split, images, binarisation, task, estimator, or what
       is given to the model are known to differ; the images were trained or selected on; or the figure has no band. One exception: an
       estimator that can only be too high, and is lower than the band nevertheless.
    4. `incomplete`: one of the seeds that decide has no number, not all images, another budget than `paper`, a map that is not complete, or
       a trained model that was not probed everywhere it should. The sentence says where the mean lies.
    5. `worse`: a seed that decides diverged: it did not train, and no other seed stands for it.
    6. `reproduced`: the whole interval lies in the band, ends included; `better` or `worse`: wholly outside; else `inconclusive`.

    Seeds 0 to n - 1 decide, however many are stored: whoever could choose the best three of ten would reproduce what is one band away.

    What the paper does not state is assumed to agree, and said to be.
    """
    n = len(measured.values)
    if measured.causality == "leaky":
        return Verdict("not causal", "Not causal: the model sees what it predicts, so that its likelihood means nothing.", n_seeds=n)
    if figure is None:
        return Verdict("no figure", f"No published figure is known for this variant on {measured.task}.", n_seeds=n)
    against = [*measured.other_row] if not measured.values else reasons_against(figure, measured)
    if figure.band is None or against:
        return _not_comparable(figure, measured, against)
    if not measured.values and not measured.diverged:
        nothing = f"Incomplete: no run came to a number to hold against {figure.said} {figure.unit}"
        return Verdict("incomplete", f"{nothing}{f': {_listed(measured.lacking)}' if measured.lacking else ''}.")
    return _compared(figure, measured, figure.band) if measured.values else _diverged(figure, measured)


def _not_comparable(figure: Figure, measured: Measured, reasons: list[str]) -> Verdict:
    n = len(measured.values)
    sentence = f"Not comparable with {figure.said} {figure.unit}: {'; '.join(reasons)} ({seeds_in_words(n)})."
    return Verdict("not comparable", sentence, n_seeds=n, assumed=_assumed(figure))


def _compared(figure: Figure, measured: Measured, band: float) -> Verdict:
    n, difference = len(measured.values), measured.mean - figure.value
    interval = clustered_interval(np.array(measured.values), np.arange(n), CONFIDENCE) if n > 1 else None
    waiting = _reasons_to_wait(measured)
    if measured.diverged and not waiting:
        return _diverged(figure, measured)
    if waiting or interval is None:
        missing = _listed([*waiting, *_who_diverged(measured)])
        name, said = "incomplete", [f"Incomplete: {missing}.", f"So far {_where(figure, measured, band)}."]
    else:
        name = _place(figure.value, band, interval)
        if name != "better" and not same_estimator(figure, measured):
            return _not_comparable(figure, measured, [estimators(figure, measured)])
        decimals = _decimals(figure.unit)
        low, high = (f"{end:.{decimals}f}" for end in interval)
        said = [f"{name.capitalize()}: {_where(figure, measured, band)}; 90 % interval {low} to {high}."]
    suspicious = difference < -band - ROUNDING
    if not same_estimator(figure, measured):
        said.append(f"Ours is {estimator_in_words(measured.estimator)}, which can only be too high.")
    if suspicious:
        said.append(f"Suspicious: check causality, split, binarisation. {_checks(figure, measured)}")
    said += [*measured.remarks, *_remarks(figure)]
    cost = measured.updates / figure.updates if measured.updates and figure.updates else None
    if cost is not None:
        said.append(f"Trained for {100 * cost:.3g} % of the published updates.")
    return Verdict(name, " ".join(said), interval, difference, n, suspicious, _assumed(figure), cost)


def _diverged(figure: Figure, measured: Measured) -> Verdict:
    waiting, (who,) = _reasons_to_wait(measured), _who_diverged(measured)
    if waiting:
        sentence = f"Incomplete: {_listed([*waiting, who])}."
        return Verdict("incomplete", sentence, n_seeds=len(measured.values), assumed=_assumed(figure))
    rest = f"; {measured.of_seeds}: {measured.mean:.{_decimals(figure.unit)}f} {measured.unit}" if measured.values else ""
    sentence = f"Worse: {who}, so the row did not train to {figure.said} {figure.unit}{rest}."
    said = " ".join([sentence, *measured.remarks, *_remarks(figure)])
    return Verdict("worse", said, n_seeds=len(measured.values), assumed=_assumed(figure))


def _who_diverged(measured: Measured) -> list[str]:
    """`seed 1 diverged`; nothing where none did."""
    return [f"{seed_list(measured.diverged)} diverged"] if measured.diverged else []


def _place(value: float, band: float, interval: tuple[float, float]) -> Name:
    low, high = interval[0] - value, interval[1] - value
    if low >= -band - ROUNDING and high <= band + ROUNDING:
        return "reproduced"
    if high < -band - ROUNDING:
        return "better"
    return "worse" if low > band + ROUNDING else "inconclusive"


def _reasons_to_wait(measured: Measured) -> list[str]:
    """Reasons why no verdict can fall yet."""
    n = len(measured.values)
    reasons = {
        f"{seeds_in_words(n)} of the {measured.wanted} that decide": n + len(measured.diverged) < measured.wanted,
        **dict.fromkeys(measured.lacking, True),
        f"budget {measured.budget} instead of {measured.whole_budget}": measured.budget != measured.whole_budget,
        f"causality {measured.causality}": measured.causality == "unchecked",
        "only a partial map of what the model sees": measured.causality == "partial",
        **(_reasons_of_the_scored(measured) if measured.values else {}),
    }
    return [reason for reason, holds in reasons.items() if holds]


def _reasons_of_the_scored(measured: Measured) -> dict[str, bool]:
    """Reasons that only runs with a number can give."""
    return {
        f"only {measured.n_images:,} images of the split": measured.limited or _too_few(measured),
        "the trained model was not probed for leaks": measured.causality != "unchecked" and not measured.probed,
        f"the trained model was probed at {measured.probed} sub-pixels of {measured.required_positions}": 0
        < (measured.probed or 0)
        < measured.required_positions,
    }


def _too_few(measured: Measured) -> bool:
    return measured.published_images is not None and measured.n_images < measured.published_images


def _assumed(figure: Figure) -> tuple[str, ...]:
    own = {
        "The split is not stated; ours is assumed.": split_of(figure.split) is None,
        "The estimator is not stated; ours is assumed.": figure.estimator == "" and not figure.bound,
        "The estimator of the bound is not stated; ours is assumed.": is_vague(figure),
    }
    return (*figure.assumed, *(sentence for sentence, holds in own.items() if holds))


def _remarks(figure: Figure) -> list[str]:
    assumed = len(_assumed(figure))
    said = [f"{assumed} fact{'s are' if assumed > 1 else ' is'} assumed, since the paper does not state {'them' if assumed > 1 else 'it'}."]
    return (said if assumed else []) + ([] if figure.verified else ["The figure is from memory, not verified."])


def _where(figure: Figure, measured: Measured, band: float) -> str:
    """`the mean of 3 seeds (seeds 0 to 2), 81.42 nats/image, is 0.12 above the published 81.30 (within the band of ± 0.505)`."""
    decimals, n = _decimals(figure.unit), len(measured.values)
    difference = measured.mean - figure.value
    side = "above" if difference >= 0 else "below"
    inside = "within" if abs(difference) <= band + ROUNDING else "outside"
    whose = f"the mean of {seeds_in_words(n)} ({measured.of_seeds})" if n > 1 else f"the one seed ({measured.of_seeds})"
    distance = f"{abs(difference):.{decimals}f} {side} {figure.said}"
    return f"{whose}, {measured.mean:.{decimals}f} {measured.unit}, is {distance} ({inside} the band of ± {band:.4g})"


def _checks(figure: Figure, measured: Measured) -> str:
    """The state of the usual errors behind a number that is too good."""
    causality = {"complete": "no leak found (complete map", "partial": "no leak found (partial map"}.get(
        measured.causality, "no map (unchecked"
    )
    probed = f"the trained model probed at {measured.probed} sub-pixels" if measured.probed else "the trained model not probed"
    images = f"{'only' if measured.limited or _too_few(measured) else 'all'} {measured.n_images:,} images of the {measured.split} split"
    binarisation = f"{measured.binarisation}, published {_stated(figure)}" if measured.binarisation else "none"
    said = f"Causality: {causality}, {probed}). Split: {images}. Binarisation: {binarisation}."
    ratio, too_often = measured.mean / figure.value, nats_to_bits(1.0)
    if any(abs(ratio * factor - 1) < _NEAR for factor in (too_often, 1 / too_often)):
        said += f" Unit: the ratio to the published value is {ratio:.3f}, near to that of nats and bits."
    return said


def _stated(figure: Figure) -> str:
    return "not stated" if figure.binarisation in (None, "any") else figure.binarisation


def _decimals(unit: str) -> int:
    return 3 if unit == "bits/dim" else 2


def _listed(reasons: Sequence[str]) -> str:
    return ", ".join(reasons)
