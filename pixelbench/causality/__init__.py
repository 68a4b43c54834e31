"""Is a module causal in raster order? `check_causality` answers for any `nn.Module` and knows nothing of PixelBench's own.

The names are loaded when first used: only `check_causality` needs torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelbench.causality.check import check_causality as check_causality
    from pixelbench.causality.check import measure as measure
    from pixelbench.causality.probing.evidence import Evidence as Evidence
    from pixelbench.causality.report import CausalityReport as CausalityReport
    from pixelbench.causality.report import Context as Context
    from pixelbench.causality.report import Cycle as Cycle
    from pixelbench.causality.report import Diagnosis as Diagnosis
    from pixelbench.causality.report import Example as Example
    from pixelbench.causality.report import Leak as Leak
    from pixelbench.causality.report import Map as Map
    from pixelbench.causality.report import Method as Method
    from pixelbench.causality.report import Missing as Missing

_HOME = {
    "CausalityReport": "pixelbench.causality.report",
    "Context": "pixelbench.causality.report",
    "Cycle": "pixelbench.causality.report",
    "Diagnosis": "pixelbench.causality.report",
    "Evidence": "pixelbench.causality.probing.evidence",
    "Example": "pixelbench.causality.report",
    "Leak": "pixelbench.causality.report",
    "Map": "pixelbench.causality.report",
    "Method": "pixelbench.causality.report",
    "Missing": "pixelbench.causality.report",
    "check_causality": "pixelbench.causality.check",
    "measure": "pixelbench.causality.check",
}

__all__ = [
    "CausalityReport",
    "Context",
    "Cycle",
    "Diagnosis",
    "Evidence",
    "Example",
    "Leak",
    "Map",
    "Method",
    "Missing",
    "check_causality",
    "measure",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pixelbench.causality' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
