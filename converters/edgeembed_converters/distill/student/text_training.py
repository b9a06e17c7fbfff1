"""Train a text student: its losses, its trainable parameters, its metric."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from edgeembed_converters.distill.student.initial_student import Student, freeze_tables
from edgeembed_converters.distill.student.objective import (
    EncodedTexts,
    LossWeights,
    Masking,
    TextBatch,
    TextLosses,
    encode,
)
from edgeembed_converters.distill.teaching.metrics import neighbor_ndcg
from edgeembed_converters.export.encoders import TextEncoder
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.training.loop import (
    Objective,
    TrainingProgress,
    TrainingResult,
    train,
)
from edgeembed_converters.training.settings import TrainingSettings
from edgeembed_converters.training.token_batches import mask_token_of
from edgeembed_runtime.storage import sha256_of


@dataclass(frozen=True, kw_only=True)
class TrainedStudent:
    """How the training went, and the mean cosine to the teacher on held-out texts."""

    trained: TrainingResult
    cosine: float


def train_text_student(
    student: Student,
    teacher: TextSource,
    texts: EncodedTexts,
    held_out: EncodedTexts,
    *,
    losses: LossWeights,
    settings: TrainingSettings,
    train_tables: bool,
    folder: Path,
    identity: str,
    on_progress: Callable[[TrainingProgress], None] | None,
) -> TrainedStudent:
    """Train a student in place, on `settings.device`; it is back on the CPU afterwards.

    Checkpoints go to a subfolder of `folder` that is named after everything that decides the
    result. Dropout stays off: with a target for every text there is no need to regularize.

    Raises:
        TrainingError, InputError, StorageError: as `train`.
    """
    device = settings.device
    encoder = TextEncoder(student.source).to(device)
    if not train_tables:
        freeze_tables(encoder)
    loss = TextLosses(
        student=encoder,
        weights=losses,
        teacher=TextEncoder(teacher).to(device) if losses.hidden_states else None,
        masking=_masking(student.source) if losses.masked_tokens else None,
    )
    identity = sha256_of(repr((identity, losses, settings, train_tables)).encode())
    objective: Objective[TextBatch] = Objective(
        batches=lambda epoch: Batches(texts, settings, epoch),
        loss=loss,
        metric=lambda: neighbor_ndcg(encode(encoder, held_out, device).numpy(), held_out.targets),
        identity=identity,
    )
    try:
        trained = train(
            encoder, objective, settings, folder / f"student-{identity[:16]}", on_progress
        )
        found = encode(encoder, held_out, device)
    finally:
        encoder.to("cpu")
        teacher.backbone.to("cpu")
    targets = torch.from_numpy(held_out.targets)
    cosine = float(F.cosine_similarity(found, targets, dim=-1).mean())
    return TrainedStudent(trained=trained, cosine=cosine)


class Batches:
    """The batches of an epoch, made on demand."""

    def __init__(self, texts: EncodedTexts, settings: TrainingSettings, epoch: int) -> None:
        """Shuffle the texts for this epoch."""
        self.texts, self.device = texts, settings.device
        self.places = texts.places(settings.batch_size, settings.seed, epoch)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places)

    def __getitem__(self, number: int) -> TextBatch:
        """Batch `number`."""
        return self.texts.batch(self.places[number], self.device)


def _masking(source: TextSource) -> Masking:
    mask_id, special_ids = mask_token_of(source, "losses: masked_tokens")
    model: Any = source.backbone
    return Masking(
        table=model.model.get_input_embeddings(), mask_id=mask_id, special_ids=special_ids
    )
