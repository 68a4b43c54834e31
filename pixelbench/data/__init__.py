"""What is modelled: tasks that ship with the installed packages, with their splits and pinned digests. No torch."""

from pixelbench.data.registry import get_task, task_names
from pixelbench.data.task import Split, Task, TaskData

__all__ = ["Split", "Task", "TaskData", "get_task", "task_names"]
