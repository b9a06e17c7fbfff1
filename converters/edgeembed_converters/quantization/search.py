"""From the fastest recipe to the most faithful one, until the budget is met."""

from collections.abc import Callable, Iterator

import onnx

from edgeembed_converters.graph.linears import linear_nodes
from edgeembed_converters.quantization.recipes.dynamic import DynamicMaker
from edgeembed_converters.quantization.recipes.static import StaticMaker
from edgeembed_converters.quantization.trial.bits import Bits
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.quantization.trial.candidate import Candidate, Fastest
from edgeembed_converters.quantization.trial.errors import quantization_errors
from edgeembed_converters.quantization.trial.left_in_fp32 import left_in_fp32
from edgeembed_converters.quantization.trial.subject import Made, Subject, Trial

OnTrial = Callable[[str], None]


class Int8Search:
    """Tries int8 recipes on one model; each once, however many budgets are asked for."""

    def __init__(self, subject: Subject, on_trial: OnTrial) -> None:
        """Read the model; `on_trial` hears the name of every recipe before it is tried."""
        self._subject = subject
        self._fastest = _fastest_of(subject)
        self._on_trial = on_trial
        self._trials: dict[str, Trial] = {}
        # Only one model is kept: a dozen of a large one would not fit.
        self._last: tuple[str, bytes] = ("", b"")

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Everything that was tried, in order."""
        return tuple(self._trials.values())

    def fastest_within(self, budget: Budget, bits: Bits) -> Made | None:
        """The first recipe, from fast to faithful, that meets the budget; None if none does."""
        for candidate in self._ladder(bits):
            trial = self._trial(candidate)
            if not budget.misses(trial.fidelity):
                return Made(**vars(trial), model=self._model(candidate))
        return None

    def _ladder(self, bits: Bits) -> Iterator[Candidate]:
        fastest = self._fastest(bits)
        best = max(fastest, key=lambda each: self._trial(each).fidelity.mean_cosine)
        yield best
        yield from best.closer()

    def _trial(self, candidate: Candidate) -> Trial:
        if candidate.name not in self._trials:
            self._on_trial(candidate.name)
            model = self._model(candidate)
            self._trials[candidate.name] = Trial(
                recipe=candidate.name,
                size=len(model),
                requires=candidate.requires,
                padding=candidate.padding,
                fidelity=self._subject.fidelity(model),
                speedup=self._subject.speedup(model),
                left_in_fp32=left_in_fp32(model),
            )
        return self._trials[candidate.name]

    def _model(self, candidate: Candidate) -> bytes:
        if self._last[0] != candidate.name:
            self._last = (candidate.name, candidate.make())
        return self._last[1]


def _fastest_of(subject: Subject) -> Fastest:
    """The family of recipes for a model: static for convolution networks, dynamic for others."""
    with quantization_errors():
        graph = onnx.load(subject.path).graph
    convolutions = sum(node.op_type == "Conv" for node in graph.node)
    if convolutions > len(linear_nodes(graph)):
        return StaticMaker(subject).fastest
    return DynamicMaker(subject).fastest


def pareto_front(trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """The trials than which no other is both faster and closer (by mean cosine), fastest first."""
    ordered = sorted(trials, key=lambda t: (-t.speedup, -t.fidelity.mean_cosine))
    front: list[Trial] = []
    for trial in ordered:
        if not front or trial.fidelity.mean_cosine > front[-1].fidelity.mean_cosine:
            front.append(trial)
    return tuple(front)
