"""`edgeembed train`: fine-tune a text encoder on pairs, triplets or scored pairs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed.cli.models.training import (
    LearningCurve,
    TrainedModel,
    show_variants,
    training_bar,
)
from edgeembed.cli.shared.options import (
    AsJson,
    BundleName,
    BundleOutput,
    MeanCosine,
    MinCosine,
    Overwrite,
    PairsSpearman,
    RetrievalOverlap,
    TrustRemoteCode,
    Variants,
    budget_of,
)
from edgeembed.cli.shared.output import print_facts, print_json
from edgeembed.cli.shared.streams import show_note
from edgeembed.export.outputs import check_free
from edgeembed_runtime.errors import InputError

if TYPE_CHECKING:
    from edgeembed import TrainingReport


def train(
    model: TrainedModel,
    examples: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="A .jsonl, .csv or .tsv file with the columns anchor and positive, and maybe "
            "negative or score.",
        ),
    ],
    output: BundleOutput,
    loss: Annotated[
        str | None,
        typer.Option(
            help="info_nce, contrastive or triplet; for scored pairs cosent, cosine_mse or "
            "contrastive; default: the first of these."
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="Of info_nce and cosent: cosines are divided by it.")
    ] = 0.05,
    margin: Annotated[float, typer.Option(help="Of contrastive and triplet.")] = 0.5,
    hard_negatives: Annotated[
        int, typer.Option(min=0, help="Negatives to mine for each example, by the model itself.")
    ] = 0,
    masked_tokens: Annotated[
        float, typer.Option(help="Weight of predicting masked tokens, of models that can.")
    ] = 0.0,
    next_sentence: Annotated[
        float, typer.Option(help="Weight of telling what follows a text, of models that can.")
    ] = 0.0,
    matryoshka_dims: Annotated[
        str | None, typer.Option(help="Train vectors cut to these too: 256,128,64.")
    ] = None,
    chunk_size: Annotated[
        int | None,
        typer.Option(min=1, help="Texts in the network at once: large batches in little memory."),
    ] = None,
    lora_rank: Annotated[
        int | None, typer.Option(min=1, help="Train only changes of this rank (LoRA).")
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="cls, mean, max, last, mean_sqrt_len or weightedmean; default: the model's own."
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Truncate texts here; default: the model's limit.")
    ] = None,
    evaluate_on: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Examples to measure on; default: some held out."
        ),
    ] = None,
    held_out: Annotated[
        int, typer.Option(help="Examples to measure on, not trained on; at most about a tenth.")
    ] = 1000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the examples.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="The peak learning rate.")] = 2e-5,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples per step.")] = 32,
    evaluate_every: Annotated[
        int, typer.Option(min=1, help="Steps between measurements, each with a checkpoint.")
    ] = 100,
    patience: Annotated[
        int, typer.Option(min=1, help="Stop after so many measurements without a better one.")
    ] = 4,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 0,
    quantize: Variants = None,
    mean_cosine: MeanCosine = None,
    min_cosine: MinCosine = None,
    pairs_spearman: PairsSpearman = None,
    retrieval_overlap: RetrievalOverlap = None,
    model_output: Annotated[
        Path | None,
        typer.Option(help="For the fine-tuned PyTorch model; default: beside the bundle."),
    ] = None,
    work_dir: Annotated[
        Path | None, typer.Option(help="For checkpoints; default: beside the bundle.")
    ] = None,
    learning_curve: LearningCurve = None,
    name: BundleName = None,
    trust_remote_code: TrustRemoteCode = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a text encoder on pairs, triplets or scored pairs of texts, and convert it.

    A command that was stopped resumes where it was when it is run again.

    Example: edgeembed train ./all-MiniLM-L6-v2 pairs.jsonl tuned.bundle --hard-negatives 2
    """
    import edgeembed
    from edgeembed_converters.fine_tuning.train import FINE_TUNING_SETTINGS

    check_free([learning_curve], overwrite=overwrite)
    objective = edgeembed.TrainingObjective(
        loss=loss,  # pyright: ignore[reportArgumentType]  # it checks it
        temperature=temperature,
        margin=margin,
        hard_negatives=hard_negatives,
        masked_tokens=masked_tokens,
        next_sentence=next_sentence,
        matryoshka_dims=_dims(matryoshka_dims),
        chunk_size=chunk_size,
    )
    settings = replace(
        FINE_TUNING_SETTINGS,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        evaluate_every=evaluate_every,
        patience=patience,
        device=device,
        precision=precision,  # pyright: ignore[reportArgumentType]  # it checks it
        seed=seed,
    )
    with training_bar() as bar:
        report = edgeembed.train(
            model,
            edgeembed.read_examples(examples),
            output,
            objective=objective,
            settings=settings,
            lora_rank=lora_rank,
            pooling=pooling,  # pyright: ignore[reportArgumentType]  # it checks it
            max_tokens=max_tokens,
            evaluate_on=None if evaluate_on is None else edgeembed.read_examples(evaluate_on),
            held_out=held_out,
            quantize=quantize or "int8",  # pyright: ignore[reportArgumentType]
            budget=budget_of(mean_cosine, min_cosine, pairs_spearman, retrieval_overlap),
            model_output=model_output,
            work_dir=work_dir,
            learning_curve=learning_curve,
            name=name,
            trust_remote_code=trust_remote_code,
            overwrite=overwrite,
            on_step=bar.on_step,
            on_progress=bar.on_progress,
        )
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report)


def _dims(text: str | None) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"matryoshka_dims: expected numbers such as 256,128, got {text!r}")
    return tuple(int(part) for part in parts)


def show_report(report: "TrainingReport") -> None:
    """Print what a fine-tuning did."""
    trained = report.trained
    print_facts(
        [
            ("bundle", report.path),
            ("model", f"{report.model_path}, in PyTorch"),
            ("examples", f"{report.examples:,} {report.kind}, {report.held_out:,} held out"),
            ("trained", f"{report.parameters:,} parameters by {report.loss}"),
            ("steps", f"{trained.steps:,}, the best after {trained.best_step:,}"),
            *(
                ("held out" if n == 0 else "", f"{each} {before:.4f} before, {after:.4f} after")
                for n, (each, before, after) in enumerate(
                    (each, report.before[each], report.after[each]) for each in report.after
                )
            ),
            ("took", f"{report.seconds:g} s"),
        ]
    )
    show_variants(report, report.witness)
    for note in report.notes:
        show_note(note)
