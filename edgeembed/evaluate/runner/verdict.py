"""The verdict: does a model lose more points than the budget allows?"""

from dataclasses import dataclass

from edgeembed.evaluate.runner.evaluation import Evaluation
from edgeembed_runtime.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A model that scored further below the reference than the budget allows."""

    model: str
    task: str
    metric: str
    difference: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether all models stayed within the budget, in points, at every quality task."""

    budget: float
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        """Whether none failed."""
        return not self.failures


def judge(evaluation: Evaluation, budget: float) -> Verdict:
    """Check that every model loses at most `budget` points to the reference at any quality task.

    An undefined score fails too.

    Raises:
        InputError: `budget` is negative or not finite, or there is nothing to compare.
    """
    if not 0 <= budget < float("inf"):
        raise InputError(f"budget: expected 0 points or more, got {budget}")
    tasks = evaluation.quality_tasks
    if len(evaluation.models) < 2 or not tasks:
        raise InputError(
            "budget: expected two models or more and a task that measures quality, "
            f"got {len(evaluation.models)} and {len(tasks)}"
        )
    failures = [
        Failure(model=model, task=task.name, metric=task.metric, difference=found.difference.value)
        for task in tasks
        for model, found in task.measured.items()
        if found.difference and not found.difference.value >= -budget
    ]
    return Verdict(budget=budget, failures=tuple(failures))
