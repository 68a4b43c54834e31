"""Diagnoses of a model's samples, in words: symptoms from sample statistics, causes from the causality map.

Two lessons of the field have names. `black-samples`: a model that sees the pixel it predicts copies its canvas, and the canvas starts
at 0. `uncoordinated-colours`: a model without colour conditioning draws the colours of a pixel independently. Symptoms are judged relative
to real images of the same task (digits are half black by nature). The name says what is seen, the sentence what is known of the cause:
where the evidence denies the usual cause, it says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

#: Samples count as collapsed when they have gone this far from the real share of zeros (or of plain images) towards 1.
#: Measured: leaking models reach 1.000, causal ones stay within 0.02 of the real share.
COLLAPSE = 0.8
#: A sampler of a causal model gives the same images from every canvas (agreement 1); measured leaks agree on at most 0.14.
CANVAS_AGREEMENT = 0.9
#: Coherence below this share of the real one is uncoordinated. Measured: 0.75 to 0.93 of it with colour conditioning, 0.11 to 0.21 without.
COHERENCE = 0.5
#: Real images with less coherence than this say nothing about a model's colours.
REAL_COHERENCE = 0.3
#: A sequential score of this many times the teacher-forced one is worth a mention (a causal model's two scores are equal).
SCORE_RATIO = 1.5

Statistics = Mapping[str, float | None]


@dataclass(frozen=True)
class SampleDiagnosis:
    """`name`: `black-samples` or `uncoordinated-colours`. `sentence`: symptom with numbers, then cause; no final full stop."""

    name: str
    sentence: str


def diagnose_samples(
    samples: Statistics,
    real: Statistics,
    *,
    sees_itself: bool | None,
    sees_same_pixel_colours: bool | None,
    canvas_agreement: float | None,
    teacher_bits: float | None,
    sequential_bits: float | None,
) -> list[SampleDiagnosis]:
    """Diagnose samples by their statistics, those of real images, and the evidence about the model.

    Args:
        samples: `sample_statistics` of the samples.
        real: `sample_statistics` of real images of the same task.
        sees_itself: whether the causality map shows a sub-pixel that sees itself; None where no map was made.
        sees_same_pixel_colours: whether any colour sees an earlier colour of the same pixel; None where no map was made.
        canvas_agreement: share of sub-pixels that agree between samples from a zero and from a random canvas, 0 to 1.
        teacher_bits: bits/dim with the whole image given.
        sequential_bits: bits/dim with only the earlier sub-pixels given.

    Returns:
        At most one diagnosis of either name. The colours of black samples are not judged: they say nothing.
    """
    black = _black_samples(samples, real, sees_itself, canvas_agreement, _score_clause(teacher_bits, sequential_bits))
    if black is not None:
        return [black]
    colours = _uncoordinated_colours(samples, real, sees_same_pixel_colours)
    return [] if colours is None else [colours]


def _black_samples(
    samples: Statistics, real: Statistics, sees_itself: bool | None, canvas_agreement: float | None, score: str
) -> SampleDiagnosis | None:
    echoes = canvas_agreement is not None and canvas_agreement < CANVAS_AGREEMENT
    symptom = _collapse(samples, real)
    echo = f"samples from a zero and from a random canvas agree on only {canvas_agreement:.1%} of sub-pixels" if echoes else ""
    if symptom is None and not echoes:
        return None
    seen = f"samples echo the canvas they start from ({echo})" if symptom is None else "; ".join(filter(None, (symptom, echo)))
    if sees_itself:
        cause = "the model sees the pixel it predicts"
    elif echoes:
        denial = ", though no sub-pixel sees itself in the causality map" if sees_itself is False else ""
        cause = f"the sampler depends on sub-pixels that are not drawn yet{denial}; look for the leak with `pixelbench check`"
    elif sees_itself is None:
        cause = "probably the model sees the pixel it predicts; a causality map would tell (`pixelbench check`)"
    else:
        cause = "not the usual leak, since the causality map shows no sub-pixel that sees itself: look at training and learning rate"
    return SampleDiagnosis("black-samples", f"{seen}: {cause}{score}")


def _collapse(samples: Statistics, real: Statistics) -> str | None:
    """The symptom with its numbers, or None."""
    zeros, real_zeros = samples.get("zeros"), real.get("zeros")
    if _far_above(zeros, real_zeros):
        return f"samples collapse to black ({zeros:.1%} zeros, real images {real_zeros:.1%})"
    plain, real_plain = samples.get("constant_images"), real.get("constant_images")
    if _far_above(plain, real_plain):
        return f"samples collapse to plain colour ({plain:.1%} constant images, real images {real_plain:.1%})"
    return None


def _far_above(sample: float | None, real: float | None) -> bool:
    return sample is not None and real is not None and real < 1 and sample - real > COLLAPSE * (1 - real)


def _score_clause(teacher: float | None, sequential: float | None) -> str:
    if teacher is None or sequential is None or sequential <= SCORE_RATIO * teacher:
        return ""
    return f"; its {teacher:.4f} bits/dim are of no worth, what the sampler follows scores {sequential:.3f}"


def _uncoordinated_colours(samples: Statistics, real: Statistics, sees_same_pixel_colours: bool | None) -> SampleDiagnosis | None:
    sample_coherence, real_coherence = samples.get("colour_coherence"), real.get("colour_coherence")
    if sample_coherence is None or real_coherence is None or real_coherence <= REAL_COHERENCE:
        return None
    if sample_coherence >= COHERENCE * real_coherence:
        return None
    coherence = f"coherence {sample_coherence:.2f}, real images {real_coherence:.2f}"
    seen = f"colours are not coordinated ({coherence}{_chroma_clause(samples, real)})"
    if sees_same_pixel_colours is None:
        cause = ": probably no colour conditioning; a causality map would tell (`pixelbench check`)"
    elif sees_same_pixel_colours:
        cause = ", though the model has colour conditioning: more training, not another mask"
    else:
        cause = ": no colour conditioning"
    return SampleDiagnosis("uncoordinated-colours", seen + cause)


def _chroma_clause(samples: Statistics, real: Statistics) -> str:
    sample, true = samples.get("chroma_luma"), real.get("chroma_luma")
    return "" if sample is None or true is None else f"; chroma/luma {sample:.2f}, real images {true:.2f}"
