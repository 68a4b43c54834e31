"""Tasks with their splits and pinned digests, from installed packages or the data folder. No torch."""

from pixelbench.data.registry import TASKS, get_task, has_units, named_task, register_task, relabel, task_names, usual_digest
from pixelbench.data.task import Split, Task, TaskData

__all__ = [
    "TASKS",
    "Split",
    "Task",
    "TaskData",
    "get_task",
    "has_units",
    "named_task",
    "register_task",
    "relabel",
    "task_names",
    "usual_digest",
]
