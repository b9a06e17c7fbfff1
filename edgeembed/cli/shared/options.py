"""Options that several commands share, each defined once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed_runtime.bundle.packaged import bundle_directory

if TYPE_CHECKING:
    from edgeembed import Budget


def path_or_name(bundle: str) -> Path:
    """The directory of a bundle, from what is typed: "static" is in the package, "./static" not."""
    return bundle_directory(bundle)


DEFAULT_INDEX = Path("edgeembed.index")
MODEL_VARIABLE = "EDGEEMBED_MODEL"

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
JsonSummary = Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")]
IndexPath = Annotated[
    Path, typer.Option("--index", "-i", envvar="EDGEEMBED_INDEX", help="The index directory.")
]
ModelPath = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        envvar=MODEL_VARIABLE,
        parser=path_or_name,
        help="The bundle to encode with: a path, or default or static, which are in the package.",
    ),
]
VariantName = Annotated[
    str, typer.Option("--variant", help="fp32, int8, ...; default: the best for this machine.")
]
TextField = Annotated[
    str, typer.Option("--field", help="The field of a JSON record that holds its text.")
]
BundleOutput = Annotated[Path, typer.Argument(help="The bundle directory to write.")]
BundleName = Annotated[str | None, typer.Option(help="The name of the bundle.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        help="Variant to make: int8, int8-faithful or int8-portable for CPUs, fp16 for GPUs. "
        "Repeatable."
    ),
]
CalibrationImages = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Calibrate int8 of an image model on this folder of images like yours.",
    ),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")
]
MeanCosine = Annotated[
    float | None, typer.Option(help="Budget of int8: min mean cosine to the original.")
]
MinCosine = Annotated[
    float | None, typer.Option(help="Budget of int8: min cosine of any vector to the original.")
]
PairsSpearman = Annotated[
    float | None,
    typer.Option(help="Budget of int8: min rank correlation of pairwise similarities."),
]
RetrievalOverlap = Annotated[
    float | None, typer.Option(help="Budget of int8: min overlap of the 10 nearest neighbors.")
]


def budget_of(
    mean_cosine: float | None,
    min_cosine: float | None,
    pairs_spearman: float | None,
    retrieval_overlap: float | None,
) -> "Budget":
    """The budget of int8 variants; a bound that was not given keeps its default.

    Raises:
        InputError: a bound is not between 0 and 1.
    """
    from edgeembed import Budget

    usual = Budget()
    return Budget(
        mean_cosine=usual.mean_cosine if mean_cosine is None else mean_cosine,
        min_cosine=usual.min_cosine if min_cosine is None else min_cosine,
        pairs_spearman=usual.pairs_spearman if pairs_spearman is None else pairs_spearman,
        retrieval_overlap=(
            usual.retrieval_overlap if retrieval_overlap is None else retrieval_overlap
        ),
    )
