"""PixelBench: is an autoregressive image model really causal, and does it really reach the published number?

The public names are loaded when first used, so that `import pixelbench` does not load torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelbench.causality import check_causality as check_causality
    from pixelbench.models.families import create_model as create_model
    from pixelbench.reports.published import compare_with_published as compare_with_published
    from pixelbench.store.frame import load_results as load_results
    from pixelbench.units import bits_per_dim as bits_per_dim

_HOME = {
    "bits_per_dim": "pixelbench.units",
    "check_causality": "pixelbench.causality",
    "compare_with_published": "pixelbench.reports.published",
    "create_model": "pixelbench.models.families",
    "load_results": "pixelbench.store.frame",
}

__all__ = ["bits_per_dim", "check_causality", "compare_with_published", "create_model", "load_results"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pixelbench' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
