"""PixelBench: is an autoregressive image model really causal, and does it really reach the published number?

The public names are loaded when first used, so that `import pixelbench` does not load torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pixelbench.causality import check_causality as check_causality
    from pixelbench.data import Split as Split
    from pixelbench.data import Task as Task
    from pixelbench.data import TaskData as TaskData
    from pixelbench.data import register_task as register_task
    from pixelbench.evaluation.quality import register_statistic as register_statistic
    from pixelbench.experiments.evaluating.evaluate import ModelEvaluation as ModelEvaluation
    from pixelbench.experiments.evaluating.notebook import evaluate as evaluate
    from pixelbench.experiments.evaluating.notebook import load_task as load_task
    from pixelbench.experiments.evaluating.notebook import samples as samples
    from pixelbench.experiments.evaluating.notebook import train as train
    from pixelbench.models.base import AutoregressiveModel as AutoregressiveModel
    from pixelbench.models.families import create_model as create_model
    from pixelbench.models.families import register_family as register_family
    from pixelbench.models.settings.common import NetworkSettings as NetworkSettings
    from pixelbench.models.settings.common import Settings as Settings
    from pixelbench.published.frames import compare_with_published as compare_with_published
    from pixelbench.store.frame import load_results as load_results
    from pixelbench.units import bits_per_dim as bits_per_dim

_HOME = {
    "AutoregressiveModel": "pixelbench.models.base",
    "ModelEvaluation": "pixelbench.experiments.evaluating.evaluate",
    "NetworkSettings": "pixelbench.models.settings.common",
    "Settings": "pixelbench.models.settings.common",
    "Split": "pixelbench.data",
    "Task": "pixelbench.data",
    "TaskData": "pixelbench.data",
    "bits_per_dim": "pixelbench.units",
    "check_causality": "pixelbench.causality",
    "compare_with_published": "pixelbench.published.frames",
    "create_model": "pixelbench.models.families",
    "evaluate": "pixelbench.experiments.evaluating.notebook",
    "load_results": "pixelbench.store.frame",
    "load_task": "pixelbench.experiments.evaluating.notebook",
    "register_family": "pixelbench.models.families",
    "register_statistic": "pixelbench.evaluation.quality",
    "register_task": "pixelbench.data",
    "samples": "pixelbench.experiments.evaluating.notebook",
    "train": "pixelbench.experiments.evaluating.notebook",
}

__all__ = [
    "AutoregressiveModel",
    "ModelEvaluation",
    "NetworkSettings",
    "Settings",
    "Split",
    "Task",
    "TaskData",
    "bits_per_dim",
    "check_causality",
    "compare_with_published",
    "create_model",
    "evaluate",
    "load_results",
    "load_task",
    "register_family",
    "register_statistic",
    "register_task",
    "samples",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pixelbench' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
