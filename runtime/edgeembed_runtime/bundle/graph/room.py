"""How much room the runs of a graph take, told before they take it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgeembed_runtime.bundle.graph.call import Shape
from edgeembed_runtime.bundle.graph.check import check_graph, check_sizes
from edgeembed_runtime.bundle.graph.reading import Graph, GraphError
from edgeembed_runtime.bundle.graph.sizes import sizes_of
from edgeembed_runtime.bundle.signature import PIXEL_VALUES, TEXT_INPUTS
from edgeembed_runtime.errors import BundleCorruptError, InferenceError, InputError

# The first length that a text tower's graph is tried with: real texts have about as many tokens.
_FIRST_TOKENS = 512
# Of a static model, which is run with many short texts at once.
_STATIC_BATCHES = ((64, 31), (2048, 1))
# onnxruntime computes in place what the dry run counts twice.
_IN_PLACE = 2
# What a loaded model takes at most, measured, for each byte of its file.
_RESIDENT = 3
_MB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a tower's graph is given.

    Attributes:
        first: the shapes of inputs that it is tried with, dry, before it is loaded.
        max_tokens: the longest text; None for images, which all have one shape.
        memory: the limit for the model and a run, in bytes; None if there is none.
        bounded: whether the graph must have a bound in memory and time.
    """

    first: tuple[Mapping[str, Shape], ...]
    max_tokens: int | None = None
    memory: int | None = None
    bounded: bool = True

    @classmethod
    def texts(cls, max_tokens: int, *, static: bool) -> "Expected":
        """Of a text tower."""
        batches = ((1, min(max_tokens, _FIRST_TOKENS)), *(_STATIC_BATCHES if static else ()))
        first: tuple[Mapping[str, Shape], ...] = tuple(
            dict[str, Shape].fromkeys(TEXT_INPUTS, (n, min(t, max_tokens))) for n, t in batches
        )
        return cls(first=first, max_tokens=max_tokens)

    @classmethod
    def images(cls, size: tuple[int, int]) -> "Expected":
        """Of an image tower, by the height and width of its input."""
        return cls(first=({PIXEL_VALUES: (1, 3, *size)},))


@dataclass(frozen=True, kw_only=True)
class Room:
    """A checked graph that knows how much memory its runs take. Thread-safe."""

    graph: Graph
    expected: Expected
    _admitted: set[Shape] = field(default_factory=set[Shape])

    @classmethod
    def checked(cls, model: bytes, name: str, expected: Expected) -> "Room":
        """Check the bytes of a model, before onnxruntime sees them.

        Raises:
            BundleUnsafeError, BundleCorruptError: see `check_graph` and `check_sizes`; or it has
                other inputs.
            InputError: the memory limit is too low.
        """
        graph = check_graph(model, name)
        names = expected.first[0].keys()
        if set(graph.inputs) != set(names):
            raise BundleCorruptError(
                f"{name}: expected the inputs {' and '.join(names)}, "
                f"found {', '.join(graph.inputs)}"
            )
        for inputs in expected.first if expected.bounded else ():
            check_sizes(graph, inputs, name)
        room = cls(graph=graph, expected=expected)
        room._check_memory()
        return room

    def admit(self, shape: Shape, free_bytes: Callable[[], int | None]) -> None:
        """Refuse a run that needs more memory than this machine has free.

        Args:
            shape: of the first input.
            free_bytes: asks the system; None if it does not say.

        Raises:
            InferenceError: it does.
        """
        longest = self.expected.max_tokens
        if longest is None or not self.expected.bounded or shape in self._admitted:
            return
        texts, tokens = shape
        # Few shapes, each for many lengths; a length of 1 could mean that numbers are spread.
        length = min(_power_of_two(max(2, tokens)), max(longest, tokens))
        rounded = (_power_of_two(texts), length)
        if rounded not in self._admitted:
            needed, free = self.run_bytes(rounded), free_bytes()
            if free is not None and needed > free:
                raise InferenceError(
                    f"expected a run that fits in memory, got {texts} x {tokens} tokens: they take "
                    f"about {needed // _MB:,} MB of the {free // _MB:,} MB that are free; shorten "
                    "the text, or encode it with chunk=True"
                )
            self._admitted.add(rounded)
        self._admitted.add(shape)

    def run_bytes(self, shape: Shape) -> int:
        """Bytes that a run of a text tower takes at least, beside the weights.

        Raises:
            InferenceError: the graph has no run of this shape.
        """
        try:
            sizes = sizes_of(self.graph, dict.fromkeys(self.graph.inputs, shape))
        except GraphError as error:
            raise InferenceError(f"the model cannot run {shape} tokens: {error}") from error
        return max(sizes.largest, sizes.peak // _IN_PLACE)

    def _check_memory(self) -> None:
        limit, tokens = self.expected.memory, self.expected.max_tokens
        if limit is None:
            return
        needed, what = self.graph.nbytes, "one image"
        if tokens is not None:
            length = min(tokens, _FIRST_TOKENS)
            while True:
                needed = self.graph.nbytes + self._largest(length)
                what = f"a text of {length} tokens (it takes up to {tokens})"
                if needed > limit or length == tokens:
                    break
                length = min(2 * length, tokens)
        if needed > limit:
            raise InputError(
                f"max_memory_mb: expected at least {_RESIDENT * needed // _MB + 1} for the model "
                f"and {what}, "
                f"got {limit // _MB}"
            )

    def _largest(self, tokens: int) -> int:
        try:
            return sizes_of(self.graph, dict.fromkeys(self.graph.inputs, (1, tokens))).largest
        except GraphError:  # texts may be shorter than the manifest allows
            return 0


def _power_of_two(number: int) -> int:
    return 1 << max(0, math.ceil(math.log2(max(1, number))))
