"""The training data of a student: texts as token ids, with the teacher's vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgeembed_converters._internal.steps import OnStep
from edgeembed_converters.distill.student.initial_student import Sample
from edgeembed_converters.distill.student.objective import EncodedTexts
from edgeembed_converters.distill.teaching.teacher import Teacher, open_teacher
from edgeembed_converters.distill.teaching.text_split import TextSplit
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.training.token_batches import pad_id_of
from edgeembed_runtime.encoder.progress import OnProgress
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

# Texts for PCA: ids for hidden states, vectors for the output.
_SAMPLE_IDS, _SAMPLE_VECTORS = 2_000, 50_000


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Tokenized texts with the teacher's vectors, and the space of those vectors."""

    train: EncodedTexts
    held_out: EncodedTexts
    space: str

    def sample(self) -> Sample:
        """The sample that the student's shape is computed from."""
        return Sample(
            ids=[torch.from_numpy(ids.astype(np.int64)) for ids in self.train.ids[:_SAMPLE_IDS]],
            vectors=torch.from_numpy(self.train.targets[:_SAMPLE_VECTORS]),
        )


def prepare(
    teacher: str | Path,
    source: TextSource,
    split: TextSplit,
    folder: Path,
    on_step: OnStep,
    on_teacher: OnProgress | None,
) -> TrainingData:
    """Run the teacher on the texts; vectors computed before come from `folder`."""
    tokenizer = source.tokenizer
    prefix = source.prompts.get(source.default_prompt_name or "", "")
    pad_id = pad_id_of(source)
    with open_teacher(teacher, folder, on_step=on_step) as opened:
        on_step("Running the teacher")
        parts = [
            _encoded(opened, tokenizer, texts, prefix, pad_id, on_teacher)
            for texts in (split.train, split.held_out)
        ]
        space = f"{opened.manifest.space} {opened.encoder.variant}"
    return TrainingData(train=parts[0], held_out=parts[1], space=space)


def _encoded(
    teacher: Teacher,
    tokenizer: TextTokenizer,
    texts: Sequence[str],
    prefix: str,
    pad_id: int,
    on_teacher: OnProgress | None,
) -> EncodedTexts:
    vectors: NDArray[np.float32] = teacher.vectors(texts, on_teacher)
    ids = [tokenizer.encode(prefix + text).ids.astype(np.int32) for text in texts]
    return EncodedTexts(ids=ids, targets=vectors, pad_id=pad_id)
