"""The variants of a table of vectors: rows in 32, 16 or 8 bits, each through its gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters._internal.steps import OnStep
from edgeembed_converters.export.table import Rows, table_fits, table_graph
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.quantization.trial.baseline import QuantizedModel
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.validation import parity
from edgeembed_converters.validation.text_baseline import measured_fidelity, measured_speedup
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.errors import ConversionError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

_RECIPES: Mapping[Rows, str] = {
    "fp32": "word vectors, float32",
    "fp16": "rows in 16 bits",
    "int8": "rows in 8 bits, each with a scale",
}


@dataclass(frozen=True, kw_only=True)
class TableVariants:
    """The ONNX models by variant name, and why others were refused, in words."""

    models: Mapping[str, QuantizedModel]
    refused: Mapping[str, str]

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say of the refused."""
        return tuple(f"{name} was refused: {why}" for name, why in self.refused.items())


def fitting(shape: tuple[int, int], wanted: Sequence[Rows]) -> tuple[Rows, ...]:
    """The wanted kinds of rows that fit into one ONNX file.

    Raises:
        ConversionError: none of them fits.
    """
    found: tuple[Rows, ...] = tuple(rows for rows in wanted if table_fits(shape, rows))
    if not found:
        raise ConversionError(
            f"the word vectors: expected at most 2 GB, all that an ONNX file holds, got {shape[0]} "
            f"rows of {shape[1]} numbers; take fewer words (max_words), smaller rows "
            "(quantize='int8'), or do without subwords (unknown='zero')"
        )
    return found


def table_variants(
    table: NDArray[np.float32],
    wanted: Sequence[Rows],
    golden: Golden,
    tokenizer: TextTokenizer,
    *,
    normalize: bool,
    uncounted: Sequence[int] = (),
    on_step: OnStep,
) -> TableVariants:
    """Make every kind of rows that is wanted and fits, and measure it on the golden texts.

    The tokens `uncounted` are left out of the means; their rows are zeros.

    Raises:
        ParityError: the fp32 graph does not return the golden vectors.
        ConversionError: nothing fits, or everything missed the budget.
    """
    kinds = fitting(table.shape, wanted)
    refused: dict[str, str] = {rows: "it is more than 2 GB" for rows in wanted if rows not in kinds}
    models: dict[str, QuantizedModel] = {}
    base: OnnxModel | None = None
    for rows in kinds:
        on_step(f"Writing and measuring {rows} rows")
        graph = table_graph(table, rows, normalize=normalize, uncounted=uncounted)
        model = OnnxModel.in_one_file(graph)
        fidelity = measured_fidelity(model, tokenizer, golden)
        if rows == "fp32":
            parity.require_parity(fidelity)
        elif misses := Budget().misses(fidelity):
            refused[rows] = f"it has {', '.join(misses)}"
            continue
        speed = measured_speedup(model, base, tokenizer, golden.texts) if base else 1.0
        base = base or model
        models[rows] = QuantizedModel(
            recipe=_RECIPES[rows],
            size=model.size,
            requires=(),
            padding=True,
            fidelity=fidelity,
            speedup=speed,
            model=model.file,
        )
    made = TableVariants(models=models, refused=refused)
    if not models:
        raise ConversionError(f"nothing was made of the word vectors: {'; '.join(made.notes)}")
    return made
