"""Measures of samples against real images, ours and those that other packages register. No torch.

A statistic (`pixelbench.evaluation.quality`) is a number of one set of images; a measure is a number of two. Each stands between two others
of its kind: that of as many real images, its floor, and that of images which are wrong in a known way, its control.
"""

from pixelbench.evaluation.measures import kernel, memorisation, neighbours, spectrum  # noqa: F401 (they register)
from pixelbench.evaluation.measures.registry import MEASURES, Control, Measure, Value, register_measure, separates

__all__ = ["MEASURES", "Control", "Measure", "Value", "register_measure", "separates"]
