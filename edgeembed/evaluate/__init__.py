"""Evaluate: compare models on data sets, before and after they shrink. See docs/how-to/evaluate.md.

A kind of task is added with `register_task`, a form of model with `register_model`.
"""

from edgeembed.evaluate.models.function import FunctionModel
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.models.open_models import open_models
from edgeembed.evaluate.models.registry import register_model
from edgeembed.evaluate.report.page import write_page
from edgeembed.evaluate.runner.cache import ObservationCache
from edgeembed.evaluate.runner.evaluation import Evaluation, evaluate
from edgeembed.evaluate.runner.verdict import Verdict, judge
from edgeembed.evaluate.tasks.open_tasks import open_tasks
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import Observed, Task

__all__ = [
    "Evaluation",
    "FunctionModel",
    "Model",
    "ObservationCache",
    "Observed",
    "Task",
    "TaskSource",
    "Verdict",
    "evaluate",
    "judge",
    "open_models",
    "open_tasks",
    "register_model",
    "register_task",
    "write_page",
]
