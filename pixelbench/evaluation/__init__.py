"""What a trained model is worth: likelihood, sample statistics with diagnoses, and real codecs to compare with."""
