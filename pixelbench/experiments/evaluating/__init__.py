"""Evaluation of a model that is there already: nothing is trained."""
