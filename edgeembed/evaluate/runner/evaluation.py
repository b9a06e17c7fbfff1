"""Runs models on tasks and compares them, with confidence intervals."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.runner.bootstrap import Interval, interval, resampled_scores
from edgeembed.evaluate.runner.cache import ObservationCache, TaskObservations
from edgeembed.evaluate.tasks.task import Observed, OnStep, Task, Values
from edgeembed_runtime.errors import InputError

DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A score minus the reference's, on the same items."""

    value: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The result of one model on one task; `difference` is None for the reference itself.

    `seconds` is how long the model ran, 0 if its observations were cached.
    """

    score: float
    interval: Interval
    difference: Difference | None
    details: Mapping[str, float]
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """The results of all models on one task, by model name; see `Task` for the other fields."""

    name: str
    kind: str
    metric: str
    is_quality: bool
    items: int
    measured: Mapping[str, Measured]


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """Facts about a model that need no run; see `Model`."""

    name: str
    dim: int
    megabytes: float | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The result of `evaluate`. Scores of quality tasks are in points, 0 to 100."""

    models: tuple[ModelFacts, ...]
    reference: str
    tasks: tuple[TaskResult, ...]
    draws: int
    seed: int

    @property
    def quality_tasks(self) -> tuple[TaskResult, ...]:
        """The tasks whose score measures quality."""
        return tuple(task for task in self.tasks if task.is_quality)


def evaluate(
    models: Sequence[Model],
    tasks: Sequence[Task],
    *,
    reference: Model | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    cache: ObservationCache | None = None,
    on_step: OnStep | None = None,
) -> Evaluation:
    """Run every model on every task, and compare with the reference, by default the first model.

    95 % confidence intervals come from a bootstrap of `draws` samples of the items. All models
    share the samples, so that differences are paired.

    Raises:
        InputError: there is no model or task, a model cannot do a task, or a task scores no model.
    """
    if not models or not tasks:
        raise InputError(f"expected models and tasks, got {len(models)} and {len(tasks)}")
    standard = models[0] if reference is None else reference
    if standard not in models:
        raise InputError(f"reference: expected one of the models, got {standard.name}")
    runner = _Runner(
        models=models,
        reference=models.index(standard),
        draws=draws,
        seed=seed,
        cache=cache,
        on_step=on_step or _ignore,
    )
    return Evaluation(
        models=tuple(ModelFacts(name=m.name, dim=m.dim, megabytes=m.megabytes) for m in models),
        reference=standard.name,
        tasks=tuple(runner.run(task) for task in tasks),
        draws=draws,
        seed=seed,
    )


@dataclass(frozen=True, kw_only=True)
class _Runner:
    models: Sequence[Model]
    reference: int
    draws: int
    seed: int
    cache: ObservationCache | None
    on_step: OnStep

    def run(self, task: Task) -> TaskResult:
        kept = self.cache.of(task) if self.cache else None
        answers = [self._observe(model, task, kept) for model in self.models]
        self.on_step(f"{task.name}: drawing {self.draws} bootstrap samples")
        values = [observed.values for observed, _ in answers]
        scores = self._scores(task, values)
        drawn = resampled_scores(task, values, draws=self.draws, seed=self.seed)
        return TaskResult(
            name=task.name,
            kind=task.kind,
            metric=task.metric,
            is_quality=task.is_quality,
            items=len(values[0]),
            measured={
                model.name: Measured(
                    score=scores[number],
                    interval=interval(drawn[number]),
                    difference=self._difference(number, scores, drawn),
                    details=task.details(observed.values),
                    notes=_notes(task, observed, scores[number]),
                    seconds=round(seconds, 2),
                )
                for number, (model, (observed, seconds)) in enumerate(
                    zip(self.models, answers, strict=True)
                )
            },
        )

    def _scores(self, task: Task, values: Sequence[Values]) -> list[float]:
        counts = {len(rows) for rows in values}
        if len(counts) > 1:
            raise InputError(
                f"{task.kind} {task.name}: expected a row for every item from every model, got "
                f"{', '.join(map(str, sorted(counts)))} rows"
            )
        scores = [_number(task, task.score(rows)) for rows in values]
        if task.is_quality and all(math.isnan(score) for score in scores):
            names = ", ".join(model.name for model in self.models)
            raise InputError(
                f"{task.kind} {task.name}: expected a score, got NaN: no {task.metric} of {names}, "
                "nothing varies"
            )
        return scores

    def _observe(
        self, model: Model, task: Task, kept: TaskObservations | None
    ) -> tuple[Observed, float]:
        if kept and (known := kept.get(model)):
            return known, 0.0
        began = time.perf_counter()
        observed = task.observe(model, lambda step: self.on_step(f"{model.name}, {step}"))
        seconds = time.perf_counter() - began
        if kept:
            kept.put(model, observed)
        return observed, seconds

    def _difference(self, number: int, scores: Sequence[float], drawn: Values) -> Difference | None:
        if number == self.reference:
            return None
        return Difference(
            value=scores[number] - scores[self.reference],
            interval=interval(drawn[number] - drawn[self.reference]),
        )


def _number(task: Task, score: object) -> float:
    if not isinstance(score, int | float):
        raise InputError(
            f"{task.kind} {task.name}: expected a number as score, got {type(score).__name__}"
        )
    return float(score)


def _notes(task: Task, observed: Observed, score: float) -> tuple[str, ...]:
    if math.isnan(score):
        return (*observed.notes, f"no {task.metric}: nothing varies")
    return observed.notes


def _ignore(step: str) -> None:
    del step
