"""The features of the classifier that ships for a task, as a feature set."""

from functools import partial

from pixelbench.errors import UserError
from pixelbench.evaluation.features import AboutImages, FeatureSet
from pixelbench.evaluation.features.classifier import WIDTHS, classifier_features, pinned_for


def features_of_classifier(task: AboutImages) -> FeatureSet:
    """The pooled map before the classifier's last layer; the digest is that of its file of weights.

    Raises:
        UserError: no classifier ships for the task.
    """
    about = pinned_for(task.name)
    if about is None:
        raise UserError(f"No classifier ships for task '{task.name}'; measure it in other features, such as --features random-conv.")
    return FeatureSet("classifier", WIDTHS[-1], about.sha256, partial(classifier_features, task.name))
