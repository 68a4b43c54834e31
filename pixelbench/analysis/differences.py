"""A variant beside its baseline, in sentences that go no further than the numbers carry."""

from pixelbench.analysis import format as words
from pixelbench.analysis.paired import PairedDifference
from pixelbench.analysis.tables import Row
from pixelbench.statistics import Difference
from pixelbench.store.cells import NOT_BELIEVED


def difference_sentences(row: Row, value: str, baseline: Row, paired: PairedDifference | None) -> tuple[str, ...]:
    """Of a variant that differs from the baseline in one setting, which is `value` in words. Not for leaks, whose lesson says it all."""
    who = f"{row.label} ({value})"
    if paired is None:
        return (_no_difference(row, who, baseline),)
    if paired.of == "likelihoods":
        return (paired.difference.sentence(baseline.label, who), *_latents(row))
    if paired.of == "bounds":
        return (_bounds(paired.difference, who, baseline.label), *_latents(row))
    return (_at_most(row, who, baseline, paired.difference), *_latents(row))


def _no_difference(row: Row, who: str, baseline: Row) -> str:
    if row.bits_per_dim is None:
        return f"{who} has no number: its run {row.status if row.status == NOT_BELIEVED else f'ended as {row.status}'}."
    if baseline.bits_per_dim is None:
        return f"{who} needs {words.score(row)} bits/dim; {baseline.label} has no number to hold it against."
    if baseline.category == "leaking":
        return f"{who} needs {words.score(row)} bits/dim; {baseline.label} is not causal, so there is no likelihood to hold it against."
    return (
        f"{who} needs {words.score(row)} bits/dim and {baseline.label} {words.score(baseline)}; these numbers are not of one kind, or not "
        "kept for each of the same test images, so their difference has no interval."
    )


def _bounds(difference: Difference, who: str, baseline: str) -> str:
    low, high, basis = difference.low, difference.high, difference.basis
    if difference.seed_noise == "unknown":
        return difference.sentence(f"the bound of {baseline}", f"that of {who}")
    if not difference.distinguishable:
        return (
            f"The bounds of {who} and {baseline} are not distinguishable: they differ by {difference.mean:+.3f} bits/dim, and the 95 % "
            f"interval {low:+.3f} to {high:+.3f} holds 0 ({basis})."
        )
    low, high = sorted((abs(low), abs(high)))
    return (
        f"The bound of {who} is {abs(difference.mean):.3f} bits/dim {'higher' if difference.mean > 0 else 'lower'} than that of {baseline} "
        f"(95 % interval {low:.3f} to {high:.3f}, {basis}); this orders the bounds, and not surely the likelihoods."
    )


def _at_most(row: Row, who: str, baseline: Row, difference: Difference) -> str:
    said = (
        f"{who} needs at most {words.bits(row.bits_per_dim)} bits/dim ({words.estimated(row)}), {baseline.label} exactly "
        f"{words.bits(baseline.bits_per_dim)}: a difference of at most {difference.mean:+.3f} (95 % interval {difference.low:+.3f} to "
        f"{difference.high:+.3f}, {difference.basis})"
    )
    if difference.distinguishable and difference.high < 0:
        return f"{said}, so it is ahead, by more if the bound is loose."
    return f"{said}. It is not shown to be better; a loose bound would hide it."


def _latents(row: Row) -> tuple[str, ...]:
    if row.active_units is None or row.latent_dimensions is None or row.kl is None:
        return ()
    if row.active_units == 0:
        return (f"Its decoder ignores z: none of {row.latent_dimensions:.0f} latents differs from image to image ({row.kl:.1f} nats).",)
    return (f"It uses {row.active_units:.3g} of {row.latent_dimensions:.0f} latents and spends {row.kl:.1f} nats an image on them.",)
