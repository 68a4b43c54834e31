"""Numbers as text: the one place that decides how a report writes them."""

import math

from pixelbench.analysis.paired import PairedDifference
from pixelbench.analysis.tables import Row
from pixelbench.evaluation.measures import Value
from pixelbench.statistics import Difference
from pixelbench.store.record import is_bound

NONE = "–"
#: Before what a model needs at most.
AT_MOST = "≤ "

#: What the causality column says. A finite probe proves a leak, never its absence: "no leak found", and by which map.
CAUSAL = {"complete": "no leak found", "partial": "no leak found (partial map)", "leaky": "not causal", "unchecked": NONE}

#: Leaks by design, by the setting that makes them, in words.
FAULTS = {
    "residual": "a residual connection around the first masked layer",
    "mask-b": "mask B in the first layer, where mask A belongs",
}


def bits(value: float | None) -> str:
    """A mean: three decimals, two significant digits where three decimals would hide them (0.0005)."""
    if value is None:
        return NONE
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


def measured(value: float | None, estimator: str | None) -> str:
    """`bits`, with `≤` before a bound."""
    return f"{AT_MOST if is_bound(estimator) and value is not None else ''}{bits(value)}"


def score(row: Row) -> str:
    """`1.121 ± 0.045`; over several seeds `1.121 ± 0.045 (3 seeds, sd 0.002)`; of a bound `≤ 1.121 ± 0.045`."""
    return mean(row).replace(" (sd ", f" ({row.seeds} seeds, sd ")


def mean(row: Row) -> str:
    """`score` without the number of seeds, where that stands beside it. No ± on what is no likelihood."""
    error = "" if row.bits_per_dim_se is None or row.category == "leaking" else f" ± {row.bits_per_dim_se:.3f}"
    seeds = f" (sd {row.spread:.3f})" if row.spread is not None else ""
    return measured(row.bits_per_dim, row.estimator) + error + seeds


def nats(row: Row) -> str:
    """`80.64 ± 0.42`, of a bound `≤ 80.64 ± 0.42`; nothing of a leak, whose number is no likelihood."""
    if row.nats_per_image is None or row.category == "leaking":
        return NONE
    error = "" if row.nats_per_image_se is None else f" ± {row.nats_per_image_se:.2f}"
    return f"{AT_MOST if is_bound(row.estimator) else ''}{row.nats_per_image:.2f}{error}"


def published(row: Row) -> str:
    """`80.10 nats`, `≤ 3.14 bits/dim (from memory)`: the primary figure of a paper as printed, marked where nobody has checked it, and
    where it is of validation images."""
    one = row.published
    if one is None:
        return NONE
    figure = one.figure
    unit = "nats" if figure.unit == "nats/image" else figure.unit
    marks = ", ".join([*(["on validation"] if figure.on_validation else []), *([] if figure.verified else ["from memory"])])
    return f"{AT_MOST if figure.bound else ''}{figure.printed} {unit}{f' ({marks})' if marks else ''}"


def difference(row: Row) -> str:
    """`+7.43`: how many more nats or bits than published; nothing where the two are not held against each other."""
    one = row.published
    return NONE if one is None or one.difference is None else distance(one.difference, one.figure.unit)


def verdict(row: Row) -> str:
    """`incomplete`, `better (suspicious)`"""
    one = row.published
    return NONE if one is None else f"{one.verdict_name}{' (suspicious)' if one.suspicious else ''}"


def in_unit(value: float, unit: str) -> str:
    """A value as it is read beside a published one: nats with two decimals, bits/dim with three."""
    return f"{value:.2f}" if unit == "nats/image" else f"{value:.3f}"


def distance(value: float, unit: str) -> str:
    """`in_unit` with its sign."""
    return f"{'+' if value >= 0 else '-'}{in_unit(abs(value), unit)}"


def latents(row: Row) -> str:
    """`7 of 16, 12.3 nats`: how many latents are used, and what is spent on them for an image."""
    if row.active_units is None or row.latent_dimensions is None or row.kl is None:
        return NONE
    return f"{row.active_units:.3g} of {row.latent_dimensions:.0f}, {row.kl:.1f} nats"


def estimated(row: Row) -> str:
    """The kind of a number that is not exact: `code length`, `ELBO`, `50 importance samples`, `given the class`; empty otherwise."""
    if row.category == "reference":
        return "code length"
    if row.category == "told":
        return "given the class"
    if row.category != "bound" or row.estimator is None:
        return ""
    return "ELBO" if row.estimator == "elbo" else f"{row.estimator.removeprefix('iwae-')} importance samples"


def sequential(row: Row) -> str:
    """`9.21 ± 0.30 (8 images)`, only of leaking variants."""
    if row.sequential_bits_per_dim is None:
        return NONE
    error = "" if row.sequential_bits_per_dim_se is None else f" ± {row.sequential_bits_per_dim_se:.3f}"
    return f"{bits(row.sequential_bits_per_dim)}{error} ({row.sequential_images} images)"


def behind(difference: Difference | None) -> str:
    """`0.031 (0.012 to 0.050)`; where the noise of seeds is not known `0.031 (0.012 to 0.050, images alone)`"""
    if difference is None:
        return NONE
    return f"{difference.mean:.3f} ({difference.low:.3f} to {difference.high:.3f}{_of_what(difference)})"


def behind_nats(row: Row) -> str:
    """As `behind`, in nats for a whole image."""
    if row.behind is None or not row.bits_per_dim or row.nats_per_image is None:
        return NONE
    nats, one = row.nats_per_image / row.bits_per_dim, row.behind
    return f"{one.mean * nats:.2f} ({one.low * nats:.2f} to {one.high * nats:.2f}{_of_what(one)})"


def against(paired: PairedDifference | None) -> str:
    """As `behind` with signs, of two bounds with `, of bounds` behind, of a bound beside an exact value with `≤` before."""
    if paired is None:
        return NONE
    difference = paired.difference
    said = f"{difference.mean:+.3f} ({difference.low:+.3f} to {difference.high:+.3f}{_of_what(difference)})"
    return {"likelihoods": said, "bounds": f"{said}, of bounds", "at most": f"{AT_MOST}{said}"}[paired.of]


def _of_what(difference: Difference) -> str:
    return ", images alone" if difference.seed_noise == "unknown" else ""


def share(value: float | None) -> str:
    """A fraction as a percentage with one decimal."""
    return NONE if value is None else f"{100 * value:.1f} %"


def signed_share(value: float | None) -> str:
    """A share by which something is more, with its sign: two decimals, none from ten percent on."""
    if value is None:
        return NONE
    return f"{100 * value:+,.2f} %" if abs(value) < 0.1 else f"{100 * value:+,.0f} %"


def proved(row: Row) -> str:
    """`1,479 bytes, +0.12 % (100 images)`; of a leaking variant `1,864 bytes, 1,372 times its claim (20 images)`."""
    proof = row.proof
    if proof is None:
        return NONE
    beyond = signed_share(proof.overhead) if proof.times_claim is None else f"{proof.times_claim:,.0f} times its claim"
    return f"{proof.coded.coded_bytes:,} bytes, {beyond} ({proof.n_images:,} images)"


def ratio(value: float | None) -> str:
    """Two decimals: correlations."""
    return NONE if value is None else f"{value:.2f}"


def with_error(value: Value | None, most: int = 5) -> str:
    """`0.537 ± 0.054`: as many decimals as show two digits of the error, at most `most`."""
    if value is None or value.value is None:
        return NONE
    if not value.error:
        return f"{value.value:.3f}"
    decimals = min(most, max(0, 1 - math.floor(math.log10(value.error))))
    return f"{value.value:.{decimals}f} ± {value.error:.{decimals}f}"


def most_decimals(unit: str) -> int:
    """Of a measure in this unit: five of kernel distances, which are small, three of everything else."""
    return 5 if unit == "distance" else 3


def whole(value: float | None) -> str:
    """A count with thousands separated; 0 and nothing are both a dash (a baseline has no updates)."""
    return f"{value:,.0f}" if value else NONE


def seconds(value: float | None) -> str:
    """Whole seconds above ten, one decimal below."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def causal(row: Row) -> str:
    """The causality column; a verdict that the suite did not expect says so."""
    text = CAUSAL[row.causal]
    if row.causal == "leaky" and row.expected != "leaky":
        return f"{text} (unexpected)"
    if row.causal in ("complete", "partial") and row.expected == "leaky":
        return f"{text} (a leak was expected)"
    return text
