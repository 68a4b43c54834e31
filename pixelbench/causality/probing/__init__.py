"""Measurements: probes, the sweep over positions, and the second experiments where the first are in doubt."""
