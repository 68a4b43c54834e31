"""What is measured: probes, the sweep over positions, and the second experiments where the first are in doubt."""
