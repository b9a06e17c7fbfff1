"""From the table of a static model to a proven text tower."""

from edgeembed_converters.export.table import ROWS, Rows
from edgeembed_converters.modules.mean_of_rows import MeanOfRows
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.pipeline.table_variants import table_variants
from edgeembed_converters.pipeline.tower import BuiltTower
from edgeembed_converters.quantization.variants import QuantizationOutcome
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.errors import InputError


def table_tower(
    source: TextSource, table: MeanOfRows, golden: Golden, options: BuildOptions
) -> BuiltTower:
    """Write a table with a variant per kind of rows, and prove each on the golden texts.

    Raises:
        InputError: a variant that tables do not have was asked for.
        ParityError: the fp32 graph is not the original.
        ConversionError: nothing fits into a file, or everything missed the budget.
    """
    made = table_variants(
        table.rows(),
        _rows(options),
        golden,
        source.tokenizer,
        normalize=source.normalized,
        uncounted=table.uncounted,
        on_step=options.on_step,
    )
    return BuiltTower(
        models=made.models,
        outcome=QuantizationOutcome(models=made.models, refused=made.refused, trials=()),
    )


def _rows(options: BuildOptions) -> tuple[Rows, ...]:
    for name in options.quantize:
        if name not in ROWS:
            raise InputError(
                f"quantize: expected {' or '.join(ROWS[1:])} for a static model, got {name!r}"
            )
    return tuple(rows for rows in ROWS if rows == "fp32" or rows in options.quantize)
