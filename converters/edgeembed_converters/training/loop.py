"""The training loop: AdamW, warm-up, early stopping, and bit-exact resumption after a kill."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from edgeembed_converters.training.checkpoints import (
    Checkpoint,
    last_checkpoint,
    save_checkpoint,
)
from edgeembed_converters.training.settings import TrainingSettings
from edgeembed_runtime import storage
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.errors import InputError, TrainingError

Batch = TypeVar("Batch")
BatchOut = TypeVar("BatchOut", covariant=True)
_BEST, _MODEL, _OPTIMIZER = "best.", "model.", "optimizer."
_RNG, _CUDA_RNG = "rng", "cuda_rng"


@public
@dataclass(frozen=True, kw_only=True)
class TrainingPoint:
    """One evaluation: the mean loss since the previous one (None at the start), and the metric."""

    step: int
    loss: float | None
    metric: float


@public
@dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """Reported after every step; `best` is the best metric so far."""

    step: int
    steps: int
    loss: float
    best: float


@public
@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """How a training went. `resumed_at` is the step that it resumed from, or None."""

    points: tuple[TrainingPoint, ...]
    steps: int
    best_step: int
    stopped_early: bool
    resumed_at: int | None

    @property
    def initial(self) -> float:
        """The metric before the first step."""
        return self.points[0].metric

    @property
    def best(self) -> float:
        """The metric of the final state, which is the best one."""
        return max(point.metric for point in self.points)


class BatchList(Protocol[BatchOut]):
    """A list of batches, or something that makes each one on demand."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, number: int, /) -> BatchOut:
        """One of them."""
        ...


@dataclass(frozen=True, kw_only=True)
class Objective(Generic[Batch]):
    """What to train on: the batches of each epoch, their loss, and the metric to maximize.

    `batches(epoch)` must be deterministic, with the same number of batches each epoch. `loss` is a
    scalar with a gradient; `metric` needs no gradient, and higher is better. `identity` covers all
    that the result depends on besides the settings: checkpoints with another identity are refused.
    """

    batches: Callable[[int], "BatchList[Batch]"]
    loss: Callable[[Batch], Tensor]
    metric: Callable[[], float]
    identity: str


def train(
    module: nn.Module,
    objective: Objective[Batch],
    settings: TrainingSettings,
    work_dir: Path,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    keep: Callable[[], Path] | None = None,
) -> TrainingResult:
    """Train the parameters of `module` that require a gradient; leave it in its best state.

    Writes a checkpoint to `work_dir` after each evaluation. A killed training resumes from there
    when it is called again, with bit-identical results. Where the loss or the metric stops being a
    number, `keep` is called with the module in its best state, and says where that is now.

    Raises:
        TrainingError: the loss or the metric is not finite, or the checkpoints are damaged or
            from another training.
        InputError: there is nothing to train.
        StorageError: `work_dir` cannot be written.
    """
    storage.make_folder(work_dir)
    run = _Run(module, objective, settings, work_dir)
    resumed_at = run.resume()
    while run.step < run.steps and not run.stale:
        try:
            loss = run.advance()
        except TrainingError as error:
            if keep is None:
                raise
            run.take_best()
            kept = f"the best state, after step {run.best_point.step}, is in {keep()}"
            raise TrainingError(f"{error}; {kept}") from error
        if on_progress is not None:
            best = max(point.metric for point in run.points)
            on_progress(TrainingProgress(step=run.step, steps=run.steps, loss=loss, best=best))
    run.take_best()
    return TrainingResult(
        points=tuple(run.points),
        steps=run.step,
        best_step=run.best_point.step,
        stopped_early=run.step < run.steps,
        resumed_at=resumed_at,
    )


class _Run(Generic[Batch]):
    """The state of a training between two steps."""

    def __init__(
        self,
        module: nn.Module,
        objective: Objective[Batch],
        settings: TrainingSettings,
        work_dir: Path,
    ) -> None:
        self.module, self.objective = module, objective
        self.settings, self.work_dir = settings, work_dir
        self.parameters = {n: p for n, p in module.named_parameters() if p.requires_grad}
        if not self.parameters:
            raise InputError("the model: expected parameters to train, found none")
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.epoch, self.epoch_batches = 0, objective.batches(0)
        if not self.epoch_batches:
            raise InputError("the objective: expected at least one batch, got none")
        self.steps = settings.epochs * len(self.epoch_batches)
        self.step, self.points = 0, list[TrainingPoint]()
        self.loss_sum, self.loss_count = 0.0, 0
        self.best: dict[str, Tensor] = {}

    @property
    def best_point(self) -> TrainingPoint:
        """The first point with the highest metric."""
        return max(self.points, key=lambda point: point.metric)

    @property
    def stale(self) -> bool:
        """Whether the last `patience` evaluations brought no improvement."""
        since = len(self.points) - 1 - self.points.index(self.best_point)
        return since >= self.settings.patience

    def resume(self) -> int | None:
        """Restore the last checkpoint, or start with a first evaluation."""
        found = last_checkpoint(self.work_dir)
        if found is None:
            torch.manual_seed(self.settings.seed)
            self.evaluate()
            return None
        if found.facts["identity"] != self.identity:
            raise TrainingError(
                f"{self.work_dir}: expected checkpoints of this training, found those of another "
                "(other texts, models or settings); use another folder, or remove them"
            )
        self.restore(found)
        return self.step

    @property
    def identity(self) -> str:
        """What a checkpoint must match."""
        shapes = {name: list(p.shape) for name, p in self.parameters.items()}
        return storage.sha256_of(
            repr((self.objective.identity, asdict(self.settings), shapes)).encode()
        )

    def advance(self) -> float:
        """Take one step, and evaluate if due; returns the step's loss."""
        epoch, place = divmod(self.step, len(self.epoch_batches))
        if epoch != self.epoch:
            self.epoch, self.epoch_batches = epoch, self.objective.batches(epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self.rate_at(self.step)
        self.optimizer.zero_grad()
        device = torch.device(self.settings.device).type
        with torch.autocast(device, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            loss = self.objective.loss(self.epoch_batches[place])
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss of step {self.step + 1} is {value}: expected a number; use a lower "
                f"learning rate than {self.settings.learning_rate:g}, or precision 'fp32'"
            )
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.gradient_clip)
        self.optimizer.step()
        self.step += 1
        self.loss_sum, self.loss_count = self.loss_sum + value, self.loss_count + 1
        if self.step % self.settings.evaluate_every == 0 or self.step == self.steps:
            self.evaluate()
        return value

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, relative to the maximum."""
        warm = max(1, round(self.settings.warmup * self.steps))
        if step < warm:
            return (step + 1) / warm
        return (self.steps - step) / max(1, self.steps - warm)

    def evaluate(self) -> None:
        """Compute the metric, keep the state if it is the best, write a checkpoint."""
        with torch.no_grad():
            metric = self.objective.metric()
        if not math.isfinite(metric):
            raise TrainingError(
                f"the metric after step {self.step} is {metric}: expected a number; use a lower "
                f"learning rate than {self.settings.learning_rate:g}"
            )
        loss = self.loss_sum / self.loss_count if self.loss_count else None
        self.points.append(TrainingPoint(step=self.step, loss=loss, metric=metric))
        self.loss_sum, self.loss_count = 0.0, 0
        if self.best_point is self.points[-1]:
            self.best = {name: each.detach().clone() for name, each in self.state().items()}
        save_checkpoint(self.work_dir, self.step, self.checkpoint())

    def state(self) -> dict[str, Tensor]:
        """What training changes: the trained parameters and the buffers."""
        return {**self.parameters, **dict(self.module.named_buffers())}

    def checkpoint(self) -> Checkpoint:
        """Everything that `restore` needs."""
        tensors = {_MODEL + name: each for name, each in self.state().items()}
        tensors |= {_BEST + name: each for name, each in self.best.items()}
        for name, parameter in self.parameters.items():
            for part, value in self.optimizer.state[parameter].items():
                tensors[f"{_OPTIMIZER}{part}.{name}"] = value
        tensors[_RNG] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors[_CUDA_RNG] = torch.cuda.get_rng_state()
        points = [asdict(point) for point in self.points]
        return Checkpoint(
            tensors=tensors,
            facts={"identity": self.identity, "step": self.step, "points": points},
        )

    def restore(self, found: Checkpoint) -> None:
        """Restore a saved state."""
        _load_into(self.state(), found.tensors, _MODEL)
        device = self.settings.device
        self.best = {name: found.tensors[_BEST + name].to(device) for name in self.state()}
        for name, parameter in self.parameters.items():
            parts: dict[str, Any] = {}
            for part in ("step", "exp_avg", "exp_avg_sq"):
                value = found.tensors.get(f"{_OPTIMIZER}{part}.{name}")
                if value is not None:
                    parts[part] = value if part == "step" else value.to(device)
            self.optimizer.state[parameter] = parts
        torch.set_rng_state(found.tensors[_RNG])
        if torch.cuda.is_available() and _CUDA_RNG in found.tensors:
            torch.cuda.set_rng_state(found.tensors[_CUDA_RNG])
        self.step = int(found.facts["step"])
        self.points = [TrainingPoint(**point) for point in found.facts["points"]]

    def take_best(self) -> None:
        """Put the module into its best state."""
        _load_into(self.state(), self.best, "")


@torch.no_grad()
def _load_into(state: dict[str, Tensor], tensors: Any, prefix: str) -> None:
    for name, tensor in state.items():
        tensor.copy_(tensors[prefix + name])
