"""Train the weights of a loaded model on its examples, in place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeembed_converters._internal.steps import OnStep
from edgeembed_converters.export.encoders import TextEncoder
from edgeembed_converters.fine_tuning.batches import (
    Batches,
    EncodedExamples,
    ExampleBatch,
    encoded_examples,
)
from edgeembed_converters.fine_tuning.example_loss import ExampleLoss
from edgeembed_converters.fine_tuning.examples import ExampleKind
from edgeembed_converters.fine_tuning.hard_negatives import with_hard_negatives
from edgeembed_converters.fine_tuning.held_out import Parts
from edgeembed_converters.fine_tuning.low_rank import low_rank
from edgeembed_converters.fine_tuning.metrics import measured, metric_name
from edgeembed_converters.fine_tuning.model_directory import write_model
from edgeembed_converters.fine_tuning.objective import LossName, TrainingObjective
from edgeembed_converters.fine_tuning.own_tasks import MaskedWords, NextSentences
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.training.loop import (
    Objective,
    TrainingProgress,
    TrainingResult,
    train,
)
from edgeembed_converters.training.settings import TrainingSettings
from edgeembed_converters.training.token_batches import encode_rows, pad_id_of
from edgeembed_runtime.storage import sha256_of

_LAST_GOOD = "last-good.model"


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """How a training went: metrics before and after, and where its checkpoints are."""

    trained: TrainingResult
    metric: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    parameters: int
    folder: Path


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """A model, what it is trained on, and how; `folder` is for checkpoints."""

    source: TextSource
    parts: Parts
    kind: ExampleKind
    loss: LossName
    objective: TrainingObjective
    settings: TrainingSettings
    lora_rank: int | None
    folder: Path

    def run(self, on_step: OnStep, on_progress: Callable[[TrainingProgress], None] | None) -> Tuned:
        """Train; the model is back on the CPU afterwards, in its best state.

        Raises:
            InputError, UnsupportedModelError: an option does not fit the model.
            TrainingError, StorageError: as `train` of the loop.
        """
        encoder = TextEncoder(self.source).to(self.settings.device)
        examples = encoded_examples(self.source, self.parts.train)
        held_out = encoded_examples(self.source, self.parts.held_out)
        on_step("Measuring the model before")
        before = self._measured(encoder, held_out)
        self.objective.check_dim(self._dim(encoder, held_out))
        if self.objective.hard_negatives:
            on_step("Mining hard negatives")
            found = self._vectors(encoder, examples)
            examples = with_hard_negatives(examples, found, self.objective.hard_negatives)
        device = self.settings.device
        masked = MaskedWords(self.source, device) if self.objective.masked_tokens else None
        following = NextSentences(self.source, device) if self.objective.next_sentence else None
        heads = [task.module for task in (masked, following) if task is not None]
        module = nn.ModuleList([encoder, *heads])
        identity = self._identity()
        folder = self.folder / f"train-{identity[:16]}"
        if self.lora_rank is not None:
            module.requires_grad_(False)
        on_step("Training")
        try:
            with low_rank(encoder.backbone, self.lora_rank, self.settings.seed):
                objective: Objective[ExampleBatch] = Objective(
                    batches=lambda epoch: Batches(examples, self.settings, epoch),
                    loss=ExampleLoss(
                        encoder=encoder,
                        pad_id=pad_id_of(self.source),
                        device=device,
                        loss=self.loss,
                        objective=self.objective,
                        masked_words=masked,
                        next_sentences=following,
                    ),
                    metric=lambda: self._measured(encoder, held_out)[self._metric],
                    identity=identity,
                )
                trainable = [p for p in module.parameters() if p.requires_grad]
                module.train()
                trained = train(
                    module, objective, self.settings, folder, on_progress, self._keep_last_good
                )
            module.eval()
            after = self._measured(encoder, held_out)
        finally:
            module.eval().to("cpu")
        return Tuned(
            trained=trained,
            metric=self._metric,
            before=before,
            after=after,
            parameters=sum(p.numel() for p in trainable),
            folder=folder,
        )

    @property
    def _metric(self) -> str:
        return metric_name(self.kind == "scored pairs")

    def _identity(self) -> str:
        """All that the result depends on besides the settings."""
        facts = (self.source.source, self.parts, self.loss, self.objective, self.lora_rank)
        return sha256_of(repr((*facts, self.settings)).encode())

    def _keep_last_good(self) -> Path:
        path = self.folder / _LAST_GOOD
        write_model(self.source, path, kind=self.kind, curve=None, overwrite=True)
        return path

    def _measured(self, encoder: nn.Module, examples: EncodedExamples) -> Mapping[str, float]:
        return measured(self._vectors(encoder, examples), examples)

    def _vectors(self, encoder: nn.Module, examples: EncodedExamples) -> NDArray[np.float32]:
        was_training = encoder.training
        encoder.eval()
        try:
            pad_id, device = pad_id_of(self.source), self.settings.device
            return encode_rows(encoder, examples.rows, pad_id, device).numpy()
        finally:
            encoder.train(was_training)

    def _dim(self, encoder: nn.Module, examples: EncodedExamples) -> int:
        pad_id, device = pad_id_of(self.source), self.settings.device
        return int(encode_rows(encoder, examples.rows[:1], pad_id, device).shape[1])
