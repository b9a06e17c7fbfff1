"""Evaluate: what a model is worth, before and after it was made smaller. See docs/evaluation.md."""

from edgeembed.evaluate.budget import Verdict, judge
from edgeembed.evaluate.cache import ObservationCache
from edgeembed.evaluate.evaluation import Evaluation, evaluate
from edgeembed.evaluate.models.function import FunctionModel
from edgeembed.evaluate.models.open_models import open_models
from edgeembed.evaluate.report.page import write_page
from edgeembed.evaluate.tasks.open_tasks import open_tasks

__all__ = [
    "Evaluation",
    "FunctionModel",
    "ObservationCache",
    "Verdict",
    "evaluate",
    "judge",
    "open_models",
    "open_tasks",
    "write_page",
]
