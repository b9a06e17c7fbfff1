"""`edgeembed convert`: turn a trained model into a proven bundle."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed.cli.shared.options import (
    AsJson,
    BundleName,
    BundleOutput,
    CalibrationImages,
    MeanCosine,
    MinCosine,
    Overwrite,
    PairsSpearman,
    RetrievalOverlap,
    TrustRemoteCode,
    Variants,
    budget_of,
)
from edgeembed.cli.shared.output import (
    megabytes,
    print_facts,
    print_json,
    print_table,
    step_progress,
)
from edgeembed.cli.shared.streams import show_note
from edgeembed.ingest.texts import read_texts
from edgeembed_runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgeembed import ConversionReport
    from edgeembed_converters.matryoshka.truncated_dims import TruncationReport
    from edgeembed_runtime.bundle import Variant


def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="The directory of a trained model, its id on the Hugging Face Hub, or a file of "
            "word vectors: word2vec, GloVe or fastText."
        ),
    ],
    output: BundleOutput,
    quantize: Variants = None,
    mean_cosine: MeanCosine = None,
    min_cosine: MinCosine = None,
    pairs_spearman: PairsSpearman = None,
    retrieval_overlap: RetrievalOverlap = None,
    mobile: Annotated[
        bool, typer.Option("--mobile", help="Add files for phones: ORT format, fixed lengths.")
    ] = False,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="cls, mean, max, last, mean_sqrt_len or weightedmean; default: the model's own."
        ),
    ] = None,
    normalize: Annotated[
        bool | None, typer.Option(help="Whether vectors get unit length; default: as the model.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Truncate texts here; default: the model's limit.")
    ] = None,
    rotate: Annotated[
        str | None,
        typer.Option(help="Rotate the space so that truncated vectors keep more: pca or learned."),
    ] = None,
    rotate_on: Annotated[
        Path | None, typer.Option(help="Fit the rotation on the texts in this file, one a line.")
    ] = None,
    name: BundleName = None,
    calibration_images: CalibrationImages = None,
    exporter: Annotated[str, typer.Option(help="torch or optimum.")] = "torch",
    revision: Annotated[str | None, typer.Option(help="Revision of a Hub id.")] = None,
    unknown: Annotated[
        str | None,
        typer.Option(help="Word vectors: unknown words become subword, zero, mean or error."),
    ] = None,
    max_words: Annotated[
        int | None, typer.Option(min=1, help="Word vectors: read only the first words.")
    ] = None,
    bad_words: Annotated[
        str | None, typer.Option(help="Word vectors: bad lines are an error (default), or skip.")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            help="A setting that no library reads, or words of a library's warning, that do not "
            "matter; may be given more than once."
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Turn a trained PyTorch encoder into a bundle, and prove it equal to the original.

    Takes models of texts (sentence-transformers, transformers), of images (transformers, timm), or
    of both (CLIP, SigLIP). A file of word vectors becomes a bundle too: the vector of a text is the
    mean of its words' vectors.

    Examples: edgeembed convert ./all-MiniLM-L6-v2 minilm.bundle --quantize int8

    edgeembed convert cc.en.300.bin words.bundle --quantize int8 --max-words 200000
    """
    import edgeembed

    with step_progress() as progress:
        task = progress.add_task("Starting")

        def on_step(step: str) -> None:
            progress.update(task, description=step)

        if Path(source).is_file():
            given = {
                "mean_cosine": mean_cosine,
                "min_cosine": min_cosine,
                "pairs_spearman": pairs_spearman,
                "retrieval_overlap": retrieval_overlap,
                "mobile": mobile or None,
                "pooling": pooling,
                "rotate": rotate,
                "rotate_on": rotate_on,
                "calibration_images": calibration_images,
                "revision": revision,
                "ignore": ignore,
            }
            _refuse(given, f"the file {source}")
            report = edgeembed.import_word_vectors(
                source,
                output,
                unknown=unknown,  # pyright: ignore[reportArgumentType]  # checked there
                max_words=max_words,
                quantize=quantize,  # pyright: ignore[reportArgumentType]
                normalize=bool(normalize),
                max_tokens=max_tokens,
                bad_words=bad_words or "error",  # pyright: ignore[reportArgumentType]
                name=name,
                overwrite=overwrite,
                on_step=on_step,
            )
        else:
            given = {"unknown": unknown, "max_words": max_words, "bad_words": bad_words}
            _refuse(given, f"the model {source}")
            report = edgeembed.convert(
                source,
                output,
                quantize=quantize,  # pyright: ignore[reportArgumentType]
                budget=budget_of(mean_cosine, min_cosine, pairs_spearman, retrieval_overlap),
                mobile=mobile,
                pooling=pooling,  # pyright: ignore[reportArgumentType]
                normalize=normalize,
                max_tokens=max_tokens,
                rotate=rotate,  # pyright: ignore[reportArgumentType]
                rotate_on=None if rotate_on is None else list(read_texts(rotate_on)),
                name=name,
                calibration_images=calibration_images,
                exporter=exporter,  # pyright: ignore[reportArgumentType]
                revision=revision,
                trust_remote_code=trust_remote_code,
                ignore=ignore or (),
                overwrite=overwrite,
                on_step=on_step,
            )
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report)


def _refuse(given: Mapping[str, object], source: str) -> None:
    """Refuse options that mean nothing for what is converted.

    Raises:
        InputError: one was given.
    """
    for parameter, value in given.items():
        if value is not None:
            raise InputError(f"{parameter}: expected nothing, as it has no meaning for {source}")


def show_report(report: "ConversionReport") -> None:
    """Print what a conversion did, one table per tower."""
    print_facts(
        [
            ("bundle", report.path),
            ("vectors", f"{report.dim} components, of {_inputs(report)}"),
            ("pooling", report.pooling or "inside the model"),
            ("head", ", ".join(report.head) or "none"),
            ("license", report.source.license or "not stated by the source"),
            ("witness", report.witness or "none"),
            ("took", f"{report.seconds:g} s"),
        ]
    )
    first = "texts" if report.max_tokens is not None else "images"
    _show_variants(report.variants, report.sizes, first)
    if report.image is not None:
        _show_variants(report.image.variants, report.image.sizes, "images")
    if report.truncations:
        _show_truncations(report.truncations)
    for note in report.notes:
        show_note(note)


def _inputs(report: "ConversionReport") -> str:
    texts = report.max_tokens and f"texts up to {report.max_tokens} tokens"
    images = report.pixels and f"images of {report.pixels[0]}x{report.pixels[1]} pixels"
    return " and ".join(part for part in (texts, images) if part)


def _show_variants(variants: "Sequence[Variant]", sizes: "Mapping[str, int]", inputs: str) -> None:
    print_table(
        [
            "variant",
            "#size",
            "#mean cosine",
            "#min cosine",
            "#max diff",
            "#overlap@10",
            "#speed",
        ],
        [
            (
                v.name,
                megabytes(sizes[v.name]),
                f"{v.fidelity.mean_cosine:.6f}",
                f"{v.fidelity.min_cosine:.6f}",
                f"{v.fidelity.max_abs_difference:.1e}",
                f"{v.fidelity.retrieval_overlap:.3f}",
                f"{v.speedup:g}x",
            )
            for v in variants
        ],
        title=f"Compared with the original on {variants[0].fidelity.texts} {inputs}",
    )


def _show_truncations(truncations: "Sequence[TruncationReport]") -> None:
    print_table(
        ["components", "#pairs", "#overlap@10", "worth using"],
        [
            (
                t.dim,
                f"{t.pairs_spearman:.3f}",
                f"{t.retrieval_overlap:.3f}",
                "yes" if t.holds else "no",
            )
            for t in truncations
        ],
        title="Shorter vectors, compared with the whole ones",
    )
