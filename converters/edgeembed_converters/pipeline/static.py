"""From the table of a static model to a proven text tower."""

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.export.table import ROWS, Rows
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.pipeline.tower import BuiltTower
from edgeembed_converters.quantization.variants import QuantizationOutcome
from edgeembed_converters.sources.base import TextSource
from edgeembed_converters.word_vectors.variants import table_variants
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.errors import InputError


def is_plain_table(source: TextSource) -> bool:
    """Whether a text's vector is the mean of rows, scaled to unit length or not."""
    return source.table is not None and all(isinstance(each, Normalize) for each in source.head)


def table_tower(
    source: TextSource, table: NDArray[np.float32], golden: Golden, options: BuildOptions
) -> BuiltTower:
    """Write a table with a variant per kind of rows, and prove each on the golden texts.

    Raises:
        InputError: a variant that tables do not have was asked for.
        ParityError: the fp32 graph is not the original.
        ConversionError: nothing fits into a file, or everything missed the budget.
    """
    made = table_variants(
        table,
        _rows(options),
        golden,
        source.tokenizer,
        normalize=source.normalized,
        on_step=options.on_step,
    )
    refused = {note.partition(" was ")[0]: note.partition(" was ")[2] for note in made.notes}
    return BuiltTower(
        models=made.models,
        outcome=QuantizationOutcome(models=made.models, refused=refused, trials=()),
    )


def _rows(options: BuildOptions) -> tuple[Rows, ...]:
    for name in options.quantize:
        if name not in ROWS:
            raise InputError(
                f"quantize: expected {' or '.join(ROWS[1:])} for a static model, got {name!r}"
            )
    return tuple(rows for rows in ROWS if rows == "fp32" or rows in options.quantize)
