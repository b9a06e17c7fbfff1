"""The variants that were asked for, each through the gate of its recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeembed_converters._internal.steps import OnStep
from edgeembed_converters.quantization.registry import recipe_named
from edgeembed_converters.quantization.search import Refusal, Search
from edgeembed_converters.quantization.trial.baseline import Baseline, QuantizedModel, Trial
from edgeembed_converters.quantization.trial.budget import Budget


@dataclass(frozen=True, kw_only=True)
class QuantizationOutcome:
    """What came of the variants that were asked for.

    `models` and `refused` (why, in words) are by variant name; `trials` is every recipe tried.
    """

    models: Mapping[str, QuantizedModel]
    refused: Mapping[str, str]
    trials: tuple[Trial, ...]


def make_variants(
    baseline: Baseline, wanted: Sequence[str], budget: Budget | None, on_step: OnStep
) -> QuantizationOutcome:
    """Make the variants `wanted`; those that miss their gate are refused.

    `budget` is the user's, by default `Budget()`.

    Raises:
        ConversionError: the model cannot be quantized, or a registered recipe is broken.
    """
    search = Search(baseline, on_step)
    models: dict[str, QuantizedModel] = {}
    refused: dict[str, str] = {}
    for name in wanted:
        found = search.run(recipe_named(name), budget or Budget())
        if isinstance(found, Refusal):
            refused[name] = found.reason
        else:
            models[name] = found
    return QuantizationOutcome(models=models, refused=refused, trials=search.trials)
