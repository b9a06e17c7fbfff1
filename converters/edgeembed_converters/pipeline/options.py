"""How towers are built; see `convert` for what each option does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from edgeembed_converters._internal.steps import OnStep, ignore_step
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.sources.text.live_text import dummy_ids
from edgeembed_converters.validation.pixels import ImageInputs

Exporter = Literal["torch", "optimum"]


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How towers are exported and quantized.

    `quantize` holds names that `checked_quantizations` accepted. `example_inputs` are ids and mask
    that a text module is traced with; made-up ids by default.
    """

    exporter: Exporter = "torch"
    quantize: Sequence[str] = ()
    budget: Budget | None = None
    mobile: bool = False
    example_inputs: Sequence[Tensor] | None = None
    calibration_images: ImageInputs | None = None
    on_step: OnStep = ignore_step

    @property
    def examples(self) -> Sequence[Tensor]:
        """The example inputs, or made-up ids."""
        return dummy_ids() if self.example_inputs is None else self.example_inputs
