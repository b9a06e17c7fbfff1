"""`edgeembed convert`: a trained model in, a proven bundle out."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed.cli.shared.output import AsJson, err, megabytes, print_facts, print_json, print_table
from edgeembed.cli.shared.output import step_progress as steps
from edgeembed.ingest.texts import format_of, read_texts
from edgeembed_runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgeembed import ConversionReport
    from edgeembed_converters.matryoshka.truncation import TruncationReport
    from edgeembed_runtime.bundle import Variant


def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="Directory of a trained model, its id on the Hugging Face Hub, or a file of word "
            "vectors: word2vec, GloVe or fastText."
        ),
    ],
    output: Annotated[Path, typer.Argument(help="The bundle directory to write.")],
    quantize: Annotated[
        list[str] | None,
        typer.Option(
            help="Adds a variant: int8, int8-faithful or int8-portable for CPUs, "
            "fp16 for GPUs; may be given more than once."
        ),
    ] = None,
    mobile: Annotated[
        bool, typer.Option("--mobile", help="Add files for phones: ORT format, fixed lengths.")
    ] = False,
    pooling: Annotated[
        str | None,
        typer.Option(help="cls, mean, max, last, mean_sqrt_len or weightedmean; the model's own."),
    ] = None,
    normalize: Annotated[
        bool | None, typer.Option(help="Unit length or not; by default as the model does.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Cut texts here; by default the model's own limit.")
    ] = None,
    rotate: Annotated[
        str | None,
        typer.Option(help="Turn the space so that shorter vectors keep more: pca or learned."),
    ] = None,
    rotate_on: Annotated[
        Path | None, typer.Option(help="File of texts, one a line, to fit the rotation on.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the bundle.")] = None,
    calibration_images: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="A folder of images like yours, for int8 of a model of images.",
        ),
    ] = None,
    exporter: Annotated[str, typer.Option(help="torch or optimum.")] = "torch",
    revision: Annotated[str | None, typer.Option(help="Revision of a Hub id.")] = None,
    unknown: Annotated[
        str | None,
        typer.Option(help="Of word vectors: unknown words become subword, zero, mean or error."),
    ] = None,
    max_words: Annotated[
        int | None, typer.Option(min=1, help="Of word vectors: read no more words.")
    ] = None,
    bad_words: Annotated[
        str | None, typer.Option(help="Of word vectors: bad lines are an error, or skip them.")
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code that the model brings.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle at OUTPUT.")] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a trained PyTorch encoder into a bundle, and prove it equal to the original.

    Of texts (sentence-transformers, transformers), of images (transformers, timm), or of both
    (CLIP, SigLIP).

    A file of word vectors becomes a bundle too: a text's vector is the mean of its words'.

    Examples: edgeembed convert ./all-MiniLM-L6-v2 minilm.bundle --quantize int8

    edgeembed convert cc.en.300.bin words.bundle --quantize int8 --max-words 200000
    """
    import edgeembed

    with steps() as progress:
        task = progress.add_task("Starting")

        def on_step(step: str) -> None:
            progress.update(task, description=step)

        if Path(source).is_file():
            given = {
                "pooling": pooling,
                "revision": revision,
                "mobile": mobile or None,
                "rotate": rotate,
                "calibration_images": calibration_images,
            }
            _refuse_options(f"the file {source}", given)
            report = edgeembed.import_word_vectors(
                source,
                output,
                unknown=unknown,  # pyright: ignore[reportArgumentType]  # they are checked there
                max_words=max_words,
                quantize=quantize,  # pyright: ignore[reportArgumentType]
                normalize=bool(normalize),
                max_tokens=max_tokens,
                bad_words=bad_words or "error",  # pyright: ignore[reportArgumentType]
                name=name,
                overwrite=force,
                on_step=on_step,
            )
        else:
            given = {"unknown": unknown, "max_words": max_words, "bad_words": bad_words}
            _refuse_options(f"the model {source}", given)
            texts = None
            if rotate_on is not None:
                texts = list(read_texts(rotate_on, format_of(rotate_on), "text"))
            report = edgeembed.convert(
                source,
                output,
                quantize=quantize,  # pyright: ignore[reportArgumentType]
                mobile=mobile,
                pooling=pooling,  # pyright: ignore[reportArgumentType]
                normalize=normalize,
                max_tokens=max_tokens,
                rotate=rotate,  # pyright: ignore[reportArgumentType]
                rotate_on=texts,
                name=name,
                calibration_images=calibration_images,
                exporter=exporter,  # pyright: ignore[reportArgumentType]
                revision=revision,
                trust_remote_code=trust_remote_code,
                overwrite=force,
                on_step=on_step,
            )
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report)


def _refuse_options(source: str, given: Mapping[str, object]) -> None:
    """Refuse options that have no meaning for what is converted.

    Raises:
        InputError: one was given.
    """
    for option, value in given.items():
        if value is not None:
            option = option.replace("_", "-")
            raise InputError(f"--{option}: it has no meaning for {source}")


def show_report(report: "ConversionReport") -> None:
    """Print what a conversion did as a table, one for each tower."""
    print_facts(
        [
            ("bundle", report.path),
            ("vectors", f"{report.dim} components, of {_inputs(report)}"),
            ("pooling", report.pooling or "inside the model"),
            ("head", ", ".join(report.head) or "none"),
            ("license", report.source.license or "not stated by the source"),
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
        err.print(f"Note: {note}", markup=False, highlight=False)


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
