"""From a trained encoder and examples to a fine-tuned model and its bundle."""

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from edgeembed_converters._internal.steps import OnStep, ignore_step
from edgeembed_converters.conversion import convert
from edgeembed_converters.fine_tuning.examples import (
    Examples,
    TrainingExample,
    checked_examples,
)
from edgeembed_converters.fine_tuning.fine_tuned import FineTuning, Tuned
from edgeembed_converters.fine_tuning.held_out import Parts, parts_of
from edgeembed_converters.fine_tuning.metrics import metric_name
from edgeembed_converters.fine_tuning.model_directory import check_model_target, write_model
from edgeembed_converters.fine_tuning.objective import (
    DEFAULT_OBJECTIVE,
    LossName,
    TrainingObjective,
)
from edgeembed_converters.fine_tuning.report import TrainingReport
from edgeembed_converters.modules.pooling import Pooling
from edgeembed_converters.packaging.assemble import check_target
from edgeembed_converters.quantization.registry import Quantization, checked_quantizations
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.sources.base.options import SourceOptions, check_text_options
from edgeembed_converters.sources.registry import opened_source
from edgeembed_converters.sources.text.transformers_text import TokenVectors
from edgeembed_converters.training.learning_curve import require_plots, write_learning_curve
from edgeembed_converters.training.loop import TrainingProgress
from edgeembed_converters.training.settings import TrainingSettings
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import MANIFEST_NAME
from edgeembed_runtime.errors import InputError, UnsupportedModelError
from edgeembed_runtime.storage import staged_directory

# A trained model needs small steps: large ones undo what it knows.
FINE_TUNING_SETTINGS = TrainingSettings(learning_rate=2e-5, warmup=0.1, evaluate_every=100)


@public
def train(
    model: str | Path,
    examples: Iterable[TrainingExample],
    output: str | Path,
    *,
    objective: TrainingObjective = DEFAULT_OBJECTIVE,
    settings: TrainingSettings = FINE_TUNING_SETTINGS,
    lora_rank: int | None = None,
    pooling: Pooling | None = None,
    max_tokens: int | None = None,
    evaluate_on: Iterable[TrainingExample] | None = None,
    held_out: int = 1000,
    quantize: Quantization | str | Sequence[Quantization | str] | None = "int8",
    budget: Budget | None = None,
    model_output: str | Path | None = None,
    work_dir: str | Path | None = None,
    learning_curve: str | Path | None = None,
    name: str | None = None,
    trust_remote_code: bool = False,
    overwrite: bool = False,
    on_step: OnStep | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> TrainingReport:
    """Fine-tune a text encoder on pairs, triplets or scored pairs, and write it as a bundle.

    Work is saved in `work_dir`: after a kill, calling again with the same arguments resumes, with
    the same weights to the bit.

    Args:
        model: a sentence-transformers or transformers directory, or a Hub id.
        examples: all of one kind; hundreds at least, thousands for more than a change of manners.
        output: the bundle directory to write. It appears whole, at the end, or not at all.
        objective: the loss, hard negatives, Matryoshka dims, gradient caching.
        settings: of the optimizer, the device and early stopping.
        lora_rank: train only changes of this rank to the linear layers (LoRA), and merge them.
        pooling: overrides the model's own, as for `convert`.
        max_tokens: overrides the model's own limit, as for `convert`; shorter texts train faster.
        evaluate_on: examples to measure on; by default, some are held out.
        held_out: how many, at most about a tenth; those that share a text stay together.
        quantize: as for `convert`.
        budget: as for `convert`.
        model_output: where to write the fine-tuned PyTorch model, a sentence-transformers
            directory with learning-curve.json; by default beside `output`, "tuned.model" for
            "tuned.bundle".
        work_dir: for checkpoints, which are removed at the end; by default `output` plus ".work".
        learning_curve: a PNG file to plot the training to (needs the extra 'distill').
        name: of the bundle; by default the output's.
        trust_remote_code: run Python code that comes with the model.
        overwrite: replace a bundle at `output` and a model at `model_output`; anything else is
            never replaced.
        on_step: called with a few words as each step begins.
        on_progress: called after every training step.

    Raises:
        InputError: damaged or too few examples, nothing left to hold out, an unknown option.
        TrainingError: the loss is not finite (the message says where the best state so far is),
            or every checkpoint is damaged.
        UnsupportedModelError: the model cannot be trained or converted.
        ConversionError: its files are damaged, or it could not be exported.
        StorageError: the disk is full, or an output is taken.
    """
    start = time.perf_counter()
    on_step, target = on_step or ignore_step, Path(output)
    saved = Path(model_output) if model_output is not None else _beside(target)
    quantizations = checked_quantizations(quantize)
    folder = Path(work_dir) if work_dir is not None else target.with_name(f"{target.name}.work")
    made = folder / saved.name
    # A run that was stopped during the conversion has written its model already.
    replace_model = overwrite or made.is_dir()
    check_target(target, overwrite)
    check_model_target(saved, replace_model)
    if learning_curve is not None:
        require_plots()
    found = checked_examples(examples, "examples")
    measured_on = None if evaluate_on is None else checked_examples(evaluate_on, "evaluate_on")
    loss = _checked_loss(objective, found)
    parts = parts_of(found, measured_on, held_out, settings.seed)
    on_step("Loading the model")
    options = _source_options(name, pooling, max_tokens, trust_remote_code)
    _refuse_bundle(model)
    with opened_source(model, options) as opened:
        source = _trainable(opened, model)
        tuning = FineTuning(
            source=source,
            parts=parts,
            kind=found.kind,
            loss=loss,
            objective=objective,
            settings=settings,
            lora_rank=lora_rank,
            folder=folder,
        )
        tuned = tuning.run(on_step, on_progress)
        curve = _curve(tuned, parts, objective, settings, lora_rank, loss)
        write_model(source, made, kind=found.kind, curve=curve, overwrite=True)
        origin = source.source.id
    with staged_directory(saved, replace=replace_model) as stage:
        shutil.copytree(made, stage, dirs_exist_ok=True)
    metric = metric_name(found.kind == "scored pairs")
    if learning_curve is not None:
        title = name or target.stem
        write_learning_curve(Path(learning_curve), tuned.trained.points, title, metric)
    converted = convert(
        saved,
        target,
        quantize=quantizations,
        budget=budget,
        name=name or target.stem,
        trust_remote_code=trust_remote_code,
        overwrite=overwrite,
        on_step=on_step,
    )
    _remove_work(tuned.folder, made)
    return TrainingReport(
        path=target,
        model_path=saved,
        name=converted.name,
        model=origin,
        space=converted.space,
        dim=converted.dim,
        kind=found.kind,
        loss=loss,
        examples=len(parts.train),
        held_out=len(parts.held_out),
        parameters=tuned.parameters,
        metric=metric,
        before=tuned.before,
        after=tuned.after,
        trained=tuned.trained,
        witness=converted.witness,
        variants=converted.variants,
        sizes=converted.sizes,
        seconds=round(time.perf_counter() - start, 1),
        notes=(*source.notes, *converted.notes),
    )


def _remove_work(*folders: Path) -> None:
    """Checkpoints have many times a model's bytes, and are of no use once there is the bundle."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    if not any(folders[0].parent.iterdir()):
        folders[0].parent.rmdir()


def _source_options(
    name: str | None, pooling: Pooling | None, max_tokens: int | None, trust_remote_code: bool
) -> SourceOptions:
    check_text_options(pooling, max_tokens)
    return SourceOptions(
        name=name, pooling=pooling, max_tokens=max_tokens, trust_remote_code=trust_remote_code
    )


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name.removesuffix('.bundle')}.model")


def _checked_loss(objective: TrainingObjective, examples: Examples) -> LossName:
    loss = objective.loss_for(examples.kind)
    if loss == "contrastive" and examples.kind == "scored pairs":
        for number, item in enumerate(examples.items):
            if item.score not in (0, 1):
                raise InputError(
                    f"{item.place or f'examples[{number}]'}: expected a score of 0 or 1 for the "
                    f"contrastive loss, got {item.score:g}; take cosent or cosine_mse for others"
                )
    return loss


def _refuse_bundle(model: str | Path) -> None:
    if (Path(model) / MANIFEST_NAME).is_file():
        raise InputError(
            f"model {model}: expected a PyTorch model, got a bundle, which cannot be trained; "
            "pass the model directory that it was converted from"
        )


def _trainable(source: object, model: str | Path) -> TextSource:
    if not isinstance(source, TextSource):
        raise InputError(f"model {model}: expected a text encoder, got one that takes images")
    if not isinstance(source.backbone, TokenVectors) or source.original is None:
        raise UnsupportedModelError(
            f"model {model}: expected a transformers model that gives token vectors, got "
            f"{source.model_type}; distill_static trains tables"
        )
    return source


def _curve(
    tuned: Tuned,
    parts: Parts,
    objective: TrainingObjective,
    settings: TrainingSettings,
    lora_rank: int | None,
    loss: LossName,
) -> Mapping[str, object]:
    """What stands in learning-curve.json."""
    return {
        "metric": tuned.metric,
        "points": [asdict(point) for point in tuned.trained.points],
        "best_step": tuned.trained.best_step,
        "before": tuned.before,
        "after": tuned.after,
        "examples": len(parts.train),
        "held_out": len(parts.held_out),
        "objective": {**asdict(objective), "loss": loss},
        "settings": asdict(settings),
        "lora_rank": lora_rank,
    }
