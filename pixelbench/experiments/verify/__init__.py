"""Whether stored results still hold: records that add up, code that still computes the same, weights that give the numbers."""
