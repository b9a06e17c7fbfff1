"""A tiny encoder, and fine-tunings of it without a conversion."""

import pytest

from edgeembed import TrainingObjective
from edgeembed_converters.fine_tuning.examples import checked_examples
from edgeembed_converters.fine_tuning.fine_tuned import FineTuning
from edgeembed_converters.fine_tuning.held_out import parts_of
from edgeembed_converters.fine_tuning.model_directory import write_model
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.registry import opened_source
from helpers.training_examples import SETTINGS, made_examples


@pytest.fixture(scope="session")
def start(tiny):
    """An encoder with a Dense layer and dropout, as sentence-transformers saves it."""
    return tiny.sentence(
        "to-train", head=({"out_features": 16},), normalize=True, max_seq_length=32
    )


@pytest.fixture
def tuned(start, tmp_path):
    """`tuned(name, **options)` trains and saves: (outcome, model directory)."""

    def run(
        name="tuned",
        kind="pairs",
        model=start,
        settings=SETTINGS,
        lora_rank=None,
        pooling=None,
        on_progress=None,
        folder=None,
        **objective,
    ):
        found = checked_examples(made_examples(kind), "examples")
        asked = TrainingObjective(**objective)
        with opened_source(model, SourceOptions(pooling=pooling)) as source:
            tuning = FineTuning(
                source=source,  # pyright: ignore[reportArgumentType]
                parts=parts_of(found, None, 1000, 0),
                kind=found.kind,
                loss=asked.loss_for(found.kind),
                objective=asked,
                settings=settings,
                lora_rank=lora_rank,
                folder=folder or tmp_path / f"{name}.work",
            )
            outcome = tuning.run(lambda step: None, on_progress)
            target = tmp_path / name
            write_model(tuning.source, target, kind=found.kind, curve=None, overwrite=False)
        return outcome, target

    return run
