"""`edgeembed convert`: a trained model in, a proven bundle out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed.cli.output import AsJson, err, megabytes, print_facts, print_json, print_table
from edgeembed.cli.output import step_progress as steps

if TYPE_CHECKING:
    from edgeembed_converters import ConversionReport


def convert(
    source: Annotated[
        str, typer.Argument(help="Directory of a trained model, or its id on the Hugging Face Hub.")
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
    name: Annotated[str | None, typer.Option(help="Name of the bundle.")] = None,
    exporter: Annotated[str, typer.Option(help="torch or optimum.")] = "torch",
    revision: Annotated[str | None, typer.Option(help="Revision of a Hub id.")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code that the model brings.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle at OUTPUT.")] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a trained PyTorch text encoder into a bundle, and prove it equal to the original.

    Example: edgeembed convert ./all-MiniLM-L6-v2 minilm.bundle --quantize int8
    """
    import edgeembed_converters

    with steps() as progress:
        task = progress.add_task("Starting")
        report = edgeembed_converters.convert(
            source,
            output,
            quantize=quantize,  # pyright: ignore[reportArgumentType]  # convert checks them
            mobile=mobile,
            pooling=pooling,  # pyright: ignore[reportArgumentType]
            normalize=normalize,
            max_tokens=max_tokens,
            name=name,
            exporter=exporter,  # pyright: ignore[reportArgumentType]
            revision=revision,
            trust_remote_code=trust_remote_code,
            overwrite=force,
            on_step=lambda step: progress.update(task, description=step),
        )
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report)


def show_report(report: "ConversionReport") -> None:
    """Print what a conversion did as a table."""
    print_facts(
        [
            ("bundle", report.path),
            ("vectors", f"{report.dim} components, of texts up to {report.max_tokens} tokens"),
            ("pooling", report.pooling or "inside the model"),
            ("head", ", ".join(report.head) or "none"),
            ("licence", report.source.license or "not stated by the source"),
            ("took", f"{report.seconds:g} s"),
        ]
    )
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
                megabytes(report.sizes[v.name]),
                f"{v.fidelity.mean_cosine:.6f}",
                f"{v.fidelity.min_cosine:.6f}",
                f"{v.fidelity.max_abs_difference:.1e}",
                f"{v.fidelity.retrieval_overlap:.3f}",
                f"{v.speedup:g}x",
            )
            for v in report.variants
        ],
        title=f"Compared with the original on {report.variants[0].fidelity.texts} texts",
    )
    for note in report.notes:
        err.print(f"Note: {note}", markup=False, highlight=False)
