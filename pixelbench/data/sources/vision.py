"""torchvision, also where its import fails because PyTorch has no GPU code.

With a CPU-only build of PyTorch, torchvision's compiled operators may not load; its import then fails with `operator torchvision::nms
does not exist`, though data sets, transforms and utilities need none of them. Declaring the two operators' schemas first lets the import
through.
"""

import importlib
from functools import cache
from types import ModuleType
from typing import Any

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
#: Why the guard engaged. Keeps the declarations alive: they vanish with their library object.
_engaged: dict[str, Any] = {}


@cache
def torchvision() -> ModuleType:
    """The module `torchvision`. The guard engages only when the plain import fails for want of an operator.

    Raises:
        ImportError: torchvision is not installed.
        RuntimeError: the import fails for another reason.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        _engaged["reason"] = str(error)
    _engaged["library"] = _declare_operators()
    return importlib.import_module("torchvision")


def torchvision_state() -> str:
    """The line of `doctor` about torchvision: version, and whether the guard was needed."""
    try:
        module = torchvision()
    except (ImportError, RuntimeError, OSError) as error:
        return f"not usable: {error}"
    if _engaged:
        return f"{module.__version__}, without compiled operators ({_engaged['reason']}); data sets, transforms and utilities work"
    return f"{module.__version__}, complete"


def _declare_operators() -> Any:
    from torch.library import Library

    library = Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    return library
