"""Is a module causal in raster order? `check_causality` answers for any `nn.Module` and knows nothing of PixelBench's own.

The names are loaded when first used: only `check_causality` needs torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelbench.causality.check import check_causality as check_causality
    from pixelbench.causality.report import CausalityReport as CausalityReport
    from pixelbench.causality.report import Leak as Leak

_HOME = {
    "CausalityReport": "pixelbench.causality.report",
    "Leak": "pixelbench.causality.report",
    "check_causality": "pixelbench.causality.check",
}

__all__ = ["CausalityReport", "Leak", "check_causality"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pixelbench.causality' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
