"""A module under test as something that can be probed: repeatable, in float64, with its state put back, and left as it was."""
