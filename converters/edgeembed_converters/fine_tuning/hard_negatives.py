"""Mine hard negatives: what the model, before its training, finds for an anchor wrongly."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.fine_tuning.batches import EncodedExamples
from edgeembed_runtime.vectors import normalize

_BLOCK = 1024
# Of the positive's cosine: what is more similar is likely an answer that nobody marked.
# Moreira et al., NV-Retriever (2024), https://arxiv.org/abs/2407.15831: "TopK-PercPos".
_AT_MOST = 0.95


def with_hard_negatives(
    examples: EncodedExamples, vectors: NDArray[np.float32], count: int
) -> EncodedExamples:
    """Add to each example the `count` nearest positives of others, from (texts, d) vectors.

    Left out is what belongs to the anchor, and what is more than 95 % as similar to it as its own
    positive. An example may get fewer.
    """
    unit = normalize(vectors)
    corpus = np.unique(examples.positives)
    negatives: list[list[int]] = []
    for start in range(0, len(examples.anchors), _BLOCK):
        anchors = examples.anchors[start : start + _BLOCK]
        own = (unit[anchors] * unit[examples.positives[start : start + _BLOCK]]).sum(axis=1)
        scores = unit[anchors] @ unit[corpus].T
        scores[examples.belong(anchors, corpus) | (scores > _AT_MOST * own[:, None])] = -np.inf
        nearest = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        for row, places in enumerate(nearest):
            mined = corpus[places[np.isfinite(scores[row, places])]].tolist()
            given = examples.negatives[start + row]
            negatives.append([*given, *(text for text in mined if text not in given)])
    return replace(examples, negatives=negatives)
