"""Fingerprints of the code made by hand, for tests about what is done with them; how they are taken has tests of its own."""

from typing import Any


def made_up_fingerprint(*numbers: float) -> dict[str, Any]:
    """A fingerprint of code that computes these `numbers`."""
    return {"miniature": 1, "torch": "2.11.0", "numbers": {"likelihood": list(numbers)}, "rough": {}, "exact": {}, "libraries": {}}
