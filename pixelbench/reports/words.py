"""Numbers as text: the one place that decides how a report writes them."""

from pixelbench.reports.statistics import PairedDifference
from pixelbench.reports.tables import Row

NONE = "–"

#: What the causality column says. A finite probe proves a leak, never its absence: "no leak found", and by which map.
CAUSAL = {"complete": "no leak found", "partial": "no leak found (partial map)", "leaky": "not causal", "unchecked": NONE}

#: Planted faults by the setting that plants them, in words.
FAULTS = {
    "residual": "a residual connection around the first masked layer",
    "mask-b": "mask B in the first layer, where mask A belongs",
}


def bits(value: float | None) -> str:
    """A mean: three decimals, two significant digits where three decimals would hide them (0.0005)."""
    if value is None:
        return NONE
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


def score(row: Row) -> str:
    """`1.121 ± 0.045`; over several seeds `1.121 ± 0.045 (3 seeds, sd 0.002)`. No ± on what is no likelihood."""
    error = "" if row.bits_per_dim_se is None or row.standing == "leaking" else f" ± {row.bits_per_dim_se:.3f}"
    seeds = f" ({row.seeds} seeds, sd {row.spread:.3f})" if row.spread is not None else ""
    return bits(row.bits_per_dim) + error + seeds


def sequential(row: Row) -> str:
    """`9.21 ± 0.30 (8 images)`, only of leaking variants."""
    if row.sequential_bits_per_dim is None:
        return NONE
    error = "" if row.sequential_bits_per_dim_se is None else f" ± {row.sequential_bits_per_dim_se:.3f}"
    return f"{bits(row.sequential_bits_per_dim)}{error} ({row.sequential_images} images)"


def behind(difference: PairedDifference | None) -> str:
    """`0.031 (0.012 to 0.050)`"""
    return NONE if difference is None else f"{difference.mean:.3f} ({difference.low:.3f} to {difference.high:.3f})"


def share(value: float | None) -> str:
    """A fraction as a percentage with one decimal."""
    return NONE if value is None else f"{100 * value:.1f} %"


def ratio(value: float | None) -> str:
    """Two decimals: correlations."""
    return NONE if value is None else f"{value:.2f}"


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
