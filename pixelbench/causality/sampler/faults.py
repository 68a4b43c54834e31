"""Why a sampler does not draw from its own probabilities: the faults that are usual, each as a distribution that the draws then follow."""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import chi2

from pixelbench.causality.report import Diagnosis
from pixelbench.causality.sampler.fit import fitted, would_show
from pixelbench.causality.sampler.table import Own, Table, tempered

TOGETHER, OFF_BY_ONE, TEMPERATURE, GREEDY, AT_ONCE = (
    *("colours-sampled-together", "levels-off-by-one", "temperature", "no-chance", "all-sampled-at-once"),
)
#: Draws follow a distribution that they would by chance differ from as much more often than this.
_FOLLOWS = 1e-3
#: Draws do not follow one that they would differ from as much more rarely than this.
_TELLS = 1e-6
#: Contexts are looked at in which so many images were drawn for each combination of colours.
_LEAST = 10


def diagnose(counts: np.ndarray, own: Own) -> Diagnosis | None:
    """The usual fault whose distribution the counts follow, an axis of levels for each sub-pixel; None where it is none of them."""
    table = own.table
    if np.count_nonzero(counts) == 1:
        return Diagnosis(GREEDY, "Every draw gives the same image: values are chosen, the likeliest for instance, and not drawn.")
    for sentence, other in _shifted(own):
        if fitted(counts, other.nats).p_value > _FOLLOWS:
            return Diagnosis(OFF_BY_ONE, sentence)
    if table.shape[0] > 1 and _independent(counts, table, table.shape[0]):
        return Diagnosis(
            TOGETHER,
            "The colours of a pixel are drawn independently of one another, though the probabilities of one depend on those before it: "
            "they are sampled together from one pass. Draw R, put it into the canvas, call the network again for G, and again for B.",
        )
    if _independent(counts, table, counts.ndim):
        return Diagnosis(
            AT_ONCE,
            "All sub-pixels are drawn independently of one another: they are sampled at once from one pass. Draw one, put it into the "
            "canvas, call the network again for the next.",
        )
    return _tempered(counts, table)


def without_power(own: Own, draws: int) -> list[str]:
    """The faults that would not show in so many draws, since they hardly change the probabilities: names of `OFF_BY_ONE`, …"""
    table, degrees, found = own.table, own.table.nats.size - 1, []
    enough = (chi2.isf(_TELLS, degrees) - degrees) / (2 * draws)
    if table.nats.ndim > 1 and _dependence(table, table.nats.ndim) < enough:
        found.append(AT_ONCE)
    if table.shape[0] > 1 and _dependence(table, table.shape[0]) < enough:
        found.append(TOGETHER)
    if not any(would_show(table.nats, other.nats, degrees, draws, _TELLS) for _, other in _shifted(own)):
        found.append(OFF_BY_ONE)
    return found


def _shifted(own: Own) -> Iterator[tuple[str, Table]]:
    """What is drawn where levels are off by one: at last, where they are fed back, or where the canvas is divided by their number."""
    table = own.table
    top = table.levels - 1
    for step, word in ((1, "up"), (-1, "down")):
        sentence = f"The levels are one {word}: draws follow the probabilities of the level {'below' if step > 0 else 'above'}"
        back = [lambda one, step=step: np.roll(one, step, -1), lambda one, step=step: _pushed(one, step)]
        last = [lambda to, step=step: (to + step) % (top + 1), lambda to, step=step: (to + step).clip(0, top)]
        for change in back:
            yield f"{sentence}, also in what is put into the canvas.", table.chained(change)
        for change in last:
            yield f"{sentence}; the canvas held the right ones.", table.moved(change)
    for index, word in ((top, "highest"), (0, "lowest")):
        if top > 1:
            yield (
                f"The {word} level is never drawn: one level too few is sampled from.",
                table.chained(lambda one, i=index: _without(one, i)),
            )
    if own.scaled is not None:
        levels = f"divided by {table.levels}, their number, where images enter as levels divided by {top}"
        yield f"The canvas holds levels {levels}.", own.scaled


def _pushed(conditional: np.ndarray, step: int) -> np.ndarray:
    """Levels move by a step, and those that would leave the range stay at its end."""
    moved = np.full_like(conditional, -np.inf)
    for level in range(conditional.shape[-1]):
        to = min(max(level + step, 0), conditional.shape[-1] - 1)
        moved[..., to] = np.logaddexp(moved[..., to], conditional[..., level])
    return moved


def _without(conditional: np.ndarray, level: int) -> np.ndarray:
    left = conditional.copy()
    left[..., level] = -np.inf
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(log_softmax(left, axis=-1), nan=-np.inf, neginf=-np.inf)


def _tempered(counts: np.ndarray, table: Table) -> Diagnosis | None:
    """The temperature under which the draws are likeliest, if they follow what it gives."""

    def surprise(log_temperature: float) -> float:
        nats = tempered(table, float(np.exp(log_temperature))).nats
        return -float((counts * np.where(counts > 0, nats, 0.0)).sum())

    found = minimize_scalar(surprise, bounds=(-3, 3), method="bounded", options={"xatol": 1e-4})
    temperature = float(np.exp(found.x))
    if fitted(counts, tempered(table, temperature).nats).p_value <= _FOLLOWS:
        return None
    return Diagnosis(
        TEMPERATURE, f"The draws follow the probabilities at a temperature of {temperature:.2f}: at 1 they are the module's own."
    )


def _independent(counts: np.ndarray, table: Table, group: int) -> bool:
    """Whether sub-pixels of the same group are drawn independently of one another, given all groups before, though they depend on one
    another so much that it would show."""
    shared, degrees, statistic = 0.0, 0, 0.0
    for seen, own in zip(_contexts(counts, group), _contexts(np.exp(table.nats), group), strict=True):
        enough = seen.reshape(len(seen), -1).sum(1) >= _LEAST * seen[0].size
        shared += float((_mutual(own[enough]) * seen[enough].reshape(enough.sum(), -1).sum(1)).sum())
        statistic += 2 * float((_mutual(seen[enough]) * seen[enough].reshape(enough.sum(), -1).sum(1)).sum())
        degrees += sum(_degrees(one) for one in seen[enough])
    if not degrees or 2 * shared <= chi2.isf(_TELLS, degrees):
        return False
    return bool(chi2.sf(statistic, degrees) > _FOLLOWS)


def _dependence(table: Table, group: int) -> float:
    """How much, in nats an image, sub-pixels of the same group depend on one another given all groups before."""
    found = 0.0
    for one in _contexts(np.exp(table.nats), group):
        found += float((_mutual(one) * one.reshape(len(one), -1).sum(1)).sum())
    return found


def _contexts(cube: np.ndarray, group: int) -> Iterator[np.ndarray]:
    """For each group of axes: (contexts, levels, …) with the axes after it summed out."""
    for start in range(0, cube.ndim, group):
        whole = cube.sum(axis=tuple(range(start + group, cube.ndim)))
        yield whole.reshape(-1, *whole.shape[start:])


def _mutual(joint: np.ndarray) -> np.ndarray:
    """(contexts, levels, …), sums of any size → the information in nats that the axes share in each context."""
    total = joint.reshape(len(joint), -1).sum(1).clip(min=1e-300)
    share = joint / total.reshape(-1, *[1] * (joint.ndim - 1))
    alone = np.ones_like(share)
    for axis in range(1, joint.ndim):
        alone = alone * share.sum(tuple(other for other in range(1, joint.ndim) if other != axis), keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(share > 0, share * np.log(share / alone), 0.0)
    return terms.reshape(len(joint), -1).sum(1)


def _degrees(seen: np.ndarray) -> int:
    """Of the test of independence in one context, levels that were never drawn left out."""
    drawn = [int((seen.sum(tuple(other for other in range(seen.ndim) if other != axis)) > 0).sum()) for axis in range(seen.ndim)]
    return int(np.prod(drawn)) - 1 - sum(one - 1 for one in drawn)
