"""From the fastest model that a recipe can make to the most faithful, until the gate is passed."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, cast

from edgeembed_converters._internal.steps import OnStep
from edgeembed_converters.graph.linears import linear_nodes
from edgeembed_converters.graph.weights import TooLargeError
from edgeembed_converters.quantization.recipes.dynamic_int8 import DynamicMaker
from edgeembed_converters.quantization.recipes.static_int8 import StaticMaker
from edgeembed_converters.quantization.trial.baseline import (
    Baseline,
    QuantizedModel,
    Trial,
    left_in_fp32,
)
from edgeembed_converters.quantization.trial.bits import Bits
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.quantization.trial.candidate import (
    Candidate,
    RefusedError,
    load_unquantized,
)
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.errors import BundleCorruptError, ConversionError, EdgeEmbedError


class Recipe(Protocol):
    """A way to make a variant; see `register_recipe`."""

    @property
    def name(self) -> str:
        """The name that users ask for, and that the variant gets: lowercase, as in "int8"."""
        ...

    @property
    def needs_calibration(self) -> bool:
        """Whether it reads `search.baseline.calibration`."""
        ...

    def gate(self, budget: Budget) -> Budget | None:
        """What a model must meet, given the user's budget; None accepts any model."""
        ...

    def fastest(self, search: "Search") -> Sequence[Candidate]:
        """The fastest candidates; they cost the same, so the search takes the most faithful one.

        `search.baseline` is the fp32 model. Raises ConversionError if it cannot be quantized.
        """
        ...


class Int8Maker(Protocol):
    """A family of int8 candidates for one model."""

    def fastest(self, bits: Bits) -> Sequence[Candidate]:
        """The fastest candidates with weights of this width."""
        ...


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a recipe made no variant."""

    reason: str


class Search:
    """Tries candidates on one baseline; each once, however many recipes offer it."""

    def __init__(self, baseline: Baseline, on_step: OnStep) -> None:
        """`on_step` is called with the description of each candidate before it is tried."""
        self.baseline = baseline
        self._on_step = on_step
        self._trials: dict[str, Trial] = {}
        # Only one model is kept: a dozen large ones would not fit into memory.
        self._last: tuple[str, bytes] = ("", b"")

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Everything that was tried, in order."""
        return tuple(self._trials.values())

    @cached_property
    def int8(self) -> Int8Maker:
        """Shared by all int8 recipes: static for convolutional networks, dynamic for others."""
        graph = load_unquantized(self.baseline.fp32).graph
        convolutions = sum(node.op_type == "Conv" for node in graph.node)
        if convolutions > len(linear_nodes(graph)):
            return StaticMaker(self.baseline)
        return DynamicMaker(self.baseline)

    def run(self, recipe: Recipe, budget: Budget) -> QuantizedModel | Refusal:
        """The first model of a recipe, from fast to faithful, that passes its gate.

        Raises:
            ConversionError: the model cannot be quantized, or the recipe is broken.
        """
        with _recipe_errors(recipe.name):
            gate = _checked_gate(recipe, budget)
            try:
                fastest = _checked_candidates(recipe, self)
                tried = [self._trial(candidate) for candidate in fastest]
            except (RefusedError, TooLargeError) as error:
                return Refusal(reason=str(error))
            best = max(fastest, key=lambda each: self._trial(each).fidelity.mean_cosine)
            for candidate in _from(best):
                trial = self._trial(candidate)
                tried.append(trial)
                if gate is None or not gate.misses(trial.fidelity):
                    return QuantizedModel(**vars(trial), model=self._model(candidate))
            assert gate is not None
            return Refusal(reason=_reason(gate, tried))

    def _trial(self, candidate: Candidate) -> Trial:
        if candidate.description not in self._trials:
            self._on_step(f"Trying {candidate.description}")
            model = self._model(candidate)
            self._trials[candidate.description] = Trial(
                recipe=candidate.description,
                size=len(model),
                requires=candidate.requires,
                padding=candidate.padding,
                fidelity=self._fidelity(candidate, model),
                speedup=self.baseline.speedup(model),
                left_in_fp32=left_in_fp32(model),
            )
        return self._trials[candidate.description]

    def _fidelity(self, candidate: Candidate, model: bytes) -> Fidelity:
        if candidate.emulated is None:
            return self.baseline.fidelity(model)
        return self.baseline.fidelity(candidate.emulated(model), padded=True)

    def _model(self, candidate: Candidate) -> bytes:
        if self._last[0] != candidate.description:
            model = cast(object, candidate.make())
            if not isinstance(model, bytes):
                raise TypeError(
                    f"{candidate.description}: expected an ONNX model as bytes from make(), "
                    f"got {type(model).__name__}"
                )
            self._last = (candidate.description, model)
        return self._last[1]


def pareto_front(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The trials that no other beats in both speed and mean cosine, fastest first."""
    ordered = sorted(trials, key=lambda t: (-t.speedup, -t.fidelity.mean_cosine))
    front: list[Trial] = []
    for trial in ordered:
        if not front or trial.fidelity.mean_cosine > front[-1].fidelity.mean_cosine:
            front.append(trial)
    return tuple(front)


def _from(best: Candidate) -> Iterator[Candidate]:
    yield best
    yield from best.closer()


def _reason(gate: Budget, tried: Sequence[Trial]) -> str:
    distinct = {trial.recipe: trial for trial in tried}.values()
    closest = max(distinct, key=lambda trial: trial.fidelity.mean_cosine)
    return (
        f"none of {len(distinct)} recipes meets the budget; the closest ({closest.recipe}) has "
        f"{', '.join(gate.misses(closest.fidelity))}: use fp32, or a wider budget"
    )


def _checked_gate(recipe: Recipe, budget: Budget) -> Budget | None:
    gate = cast(object, recipe.gate(budget))
    if gate is not None and not isinstance(gate, Budget):
        raise TypeError(f"expected a Budget or None from gate(), got {type(gate).__name__}")
    return gate


def _checked_candidates(recipe: Recipe, search: Search) -> list[Candidate]:
    found: list[object] = list(recipe.fastest(search))
    if not found:
        raise ValueError("expected at least one Candidate from fastest(), got none")
    for each in found:
        if not isinstance(each, Candidate):
            raise TypeError(f"expected Candidates from fastest(), got {type(each).__name__}")
    return cast(list[Candidate], found)


@contextmanager
def _recipe_errors(name: str) -> Generator[None]:
    """Name the recipe in whatever a broken one raises, or its model makes onnxruntime raise."""
    try:
        yield
    except (BundleCorruptError, TypeError, ValueError) as error:
        raise ConversionError(f"recipe {name!r}: {first_line(error)}") from error
    except EdgeEmbedError:
        raise
    except Exception as error:
        raise ConversionError(
            f"recipe {name!r}: {type(error).__name__}: {first_line(error)}"
        ) from error
