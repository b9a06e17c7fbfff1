"""Examples that a tiny encoder can learn, and settings to learn them in seconds."""

import random
from dataclasses import replace

from edgeembed import TrainingExample
from edgeembed_converters.fine_tuning.train import FINE_TUNING_SETTINGS

WORDS = (
    *("man", "woman", "dog", "cat", "plays", "guitar", "rain", "stage", "music", "sat"),
    *("the", "on", "watched", "window", "train", "station", "river", "bank", "cook", "soup"),
)
SETTINGS = replace(
    FINE_TUNING_SETTINGS,
    learning_rate=2e-3,
    batch_size=16,
    epochs=2,
    evaluate_every=5,
    patience=50,
)


def made_examples(kind="pairs", count=160):
    """Of WORDS alone: answers are questions in another order, with a word more."""
    rng, made = random.Random(1), []
    for number in range(count):
        words = rng.sample(WORDS, 4)
        answer = " ".join([*reversed(words), rng.choice(WORDS)])
        other = " ".join(rng.sample(WORDS, 5))
        negatives, score = (), None
        if kind == "triplets":
            negatives = (other,)
        if kind == "scored pairs":
            score = float(number % 2)
            answer = answer if number % 2 else other
        made.append(
            TrainingExample(
                anchor=" ".join(words), positive=answer, negatives=negatives, score=score
            )
        )
    return made
