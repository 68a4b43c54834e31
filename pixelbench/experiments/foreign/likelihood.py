"""The certificate of a module that gives the likelihood of whole images alone: on tiny ones its probabilities sum to one."""

from pixelbench.causality.likelihood import LikelihoodReport, check_log_prob
from pixelbench.errors import UserError, first_line
from pixelbench.experiments.foreign.tiny import AsModule, tiny_models
from pixelbench.experiments.foreign.wrapped import LikelihoodModel
from pixelbench.models.base import AutoregressiveModel
from pixelbench.store.record import Causality


def certify_likelihood(model: AutoregressiveModel, name: str) -> LikelihoodReport:
    """Score all images of a tiny shape by the same code.

    Raises:
        UserError: their probabilities do not sum to one, or no tiny images can be scored, so that nothing says that they do.
    """
    assert isinstance(model, LikelihoodModel)
    fault = "no image is small enough for all of them to be scored"
    for tiny in tiny_models(model):
        try:
            report = check_log_prob(AsModule(tiny), tiny.shape, levels=tiny.levels, input="int", target=name)
        except Exception as error:  # whatever somebody's module does at such a size
            fault = first_line(error).rstrip(".")
            continue
        if not report.normalised:
            raise UserError(f"{report.text()} Nothing is trained or scored by it.")
        return report
    raise UserError(
        f"{name} gives the likelihood of whole images alone, and nothing shows that it is one: {fault}. Let its factory take height, width "
        "and levels, so that all images of a tiny shape can be scored."
    )


def causality_of_likelihood(report: LikelihoodReport) -> Causality:
    """The record's field `causality`: probabilities of one sum leak nothing, which is known of a tiny shape alone."""
    size = "x".join(map(str, report.shape))
    total = f"sum of the probabilities of all {report.images:,} images of {size} with {report.levels} levels: {report.total:.12g}"
    return Causality(status="partial", tolerance=report.tolerance, probes=total)
