"""Evaluation of a trained model: likelihood, sample statistics with diagnoses, and real codecs to compare with."""
