"""How to read a report: what its columns and verdicts mean, as a Markdown list that each renderer sets out in its way."""

import textwrap

from pixelbench.evaluation.measures import MEASURES
from pixelbench.evaluation.quality import STATISTICS
from pixelbench.reports import escape
from pixelbench.reports.report import Report

HOW_TO_READ = """\
- **bits/dim ± se**: how many bits the model needs for one sub-pixel of an unseen test image, fewer being better; exact, over the whole test
  split. The standard error is over groups of test images that are not independent: those of one photograph, or of one form of
  handwriting. Over several seeds: the mean, and the standard deviation over seeds. **n**: how many seeds.
- **behind the best**: paired difference to rank 1 on the same images, with a 95 % interval that allows for other test images (Student's t
  over groups) and for other seeds. Where one of the two has a single seed, the noise of seeds is taken from the variants on the task that
  were trained for as many updates and have several; where there are none, the interval is over **images alone** and shows nobody to be
  better.
- **no leak found**: no output distribution changed when its own or a later sub-pixel was changed, for every sub-pixel of the map. A finite
  probe can prove a leak, never its absence.
- **not causal**: the model sees what it predicts. Its bits/dim (struck through) is not a likelihood and has no rank; the **sequential
  score** is the likelihood of the process its sampler really follows, each sub-pixel predicted from a canvas of earlier ones only.
- **code length**: the bytes of all test images as one mosaic in an image format. It makes a number readable; it is no model's likelihood.
"""

COST = """\
- **updates**, **parameters**, **seconds**: steps of the optimiser; weights, those that a mask holds at zero with them; and the time of a
  whole run with certificate, evaluation and samples, the mean over seeds. Seconds of other machines, or beside other work, do not
  compare."""

BOUNDS = """\
- **≤**: the likelihood of a model with latents is only bounded, by the ELBO or, tighter, by importance samples: it needs so much at most. A
  bound has no rank beside exact values.
- **latents used**: how many latents have a posterior mean that differs between test images (variance above 0.01), and how many nats an
  image are spent on all of them (KL). None and 0 nats: the decoder ignores them."""

CONDITIONAL = """\
- **given the class**: exact, but conditional on the class of the image; no rank beside unconditional models."""

NATS = """\
- **nats/image**: the same likelihood as bits/dim, in nats for a whole image, as papers give it for binarised digits."""

PROVED = """\
- **proved**: the bytes of a file that so many test images were really coded into, without its header, and from which they came back in
  another process; and how many more that is than -log2 of their likelihood. Of a model that is not causal: how many times what its
  likelihood claims, since from so few bytes nothing comes back."""

VERDICTS = """\
- **published**: the primary figure that a paper prints for this variant on these test images. *From memory*: nobody has looked it up there.
- **verdict**: *reproduced* only where the 90 % interval over at least three seeds of the whole training lies wholly within the tolerance
  around it, a complete map shows no leak, and images, estimator and unit agree; *better* or *worse* where it lies wholly outside;
  *incomplete* until there is all of that; *not comparable* where estimator, images or network are known to be others. *Suspicious*: better
  than can be believed unchecked."""

ON_VALIDATION = """\
- **published, on validation**: the paper prints it of validation images, so that difference and verdict are of the score on those of this
  task, and not of the bits/dim in this table."""

ABLATIONS = """\
- **difference**, in an ablation: to the baseline in its first row, paired on the same images like *behind the best*, positive where the
  variant needs more bits. The variant differs from the baseline in what the section is about and in nothing else: not in recipe, updates,
  evaluation or another setting. *Of bounds*: it orders two bounds, and not surely the likelihoods. **≤** before it: a bound beside an
  exact value, so the true difference is no larger."""


QUALITY = """\
- **sample quality**, **how many**, **called**: samples held against as many real images that no training sees, in the feature set that
  the table is named after; numbers of two feature sets have nothing to do with each other. ± is one standard error, over other samples and
  other real images. Each number stands between that of real images (*floor*) and those of images that are wrong in a known way
  (*controls*: independent pixels, copies of training images, one of them repeated). *Does not separate*: the measure does not tell real
  images from its control here, so nothing follows from it. *Called*: what the measures that do separate show the images to be."""


def _measures(report: Report) -> str:
    """The meaning of each column of the tables of sample quality that no other table has."""
    shown = dict.fromkeys(name for table in report.quality for name in table.measures)
    found = [MEASURES[name] for name in shown if name in MEASURES]
    said = [f"- **{escape.text(one.title)}**: {escape.text(one.meaning)} ({_BEST[one.better]})." for one in found]
    others = [STATISTICS[name] for name in shown if name not in MEASURES and STATISTICS[name].weight is None]
    if others:
        titles = ", ".join(f"**{escape.text(one.title)}**" for one in others)
        said.append(f"- {titles}: {'; '.join(escape.text(one.meaning) for one in others)}. Best is what real images have.")
    return "\n".join([QUALITY, *(textwrap.fill(one, 140, subsequent_indent="  ") for one in said)])


#: The directions of measures, in words.
_BEST = {"higher": "higher is better", "lower": "lower is better", "near the floor": "best is what real images have"}


def _statistics() -> str:
    """The meaning of the columns of statistics; which values are good, where that is not said by the real images."""
    shown = [one for one in STATISTICS.usable()[0].values() if one.weight is not None]
    titles = ", ".join(f"**{escape.text(one.title)}**" for one in shown)
    meanings = [escape.text(one.meaning) + ("" if one.better == "as real images" else f" ({one.better} is better)") for one in shown]
    said = f"{', '.join(meanings[:-1])}, and {meanings[-1]}"
    return textwrap.fill(f"- {titles}: {said}, in samples; hold them against the row of real test images.", 140, subsequent_indent="  ")


def explanations(report: Report) -> list[str]:
    """The meaning of the columns that its tables have."""
    rows = [row for table in report.tables for row in table.rows]
    optional = {
        VERDICTS: any(row.published for row in rows),
        ON_VALIDATION: any(row.published is not None and row.published.figure.on_validation for row in rows),
        ABLATIONS: bool(report.ablations),
        PROVED: any(row.proof for row in rows),
        CONDITIONAL: any(row.category == "told" for row in rows),
        BOUNDS: any(row.category == "bound" or row.kl is not None for row in rows),
        NATS: any(table.binary for table in report.tables),
    }
    quality = [_measures(report)] if report.quality else []
    return [HOW_TO_READ + _statistics(), COST, *(text for text, needed in optional.items() if needed), *quality]
