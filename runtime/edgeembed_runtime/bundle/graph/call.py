"""A node at work in a dry run: what it is given, as shapes, and the few values that are known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeembed_runtime.bundle.graph.reading import GraphError, Node, Tensor, Values

Shape = tuple[int, ...]
NO_BOUND = "the size of its result depends on the text, so it has no bound"


@dataclass(frozen=True, slots=True)
class Value:
    """What a dry run knows of a value.

    Attributes:
        shape: its shape, exact, or an upper bound of each axis.
        width: bytes of an element.
        values: the numbers, if they are few and known, or have bounds.
        constant: whether it depends on no input of the graph.
        exact: whether the shape and the values are exact, not upper bounds.
        top: what its numbers are at most, where none are known.
    """

    shape: Shape
    width: float
    values: Values | None = None
    constant: bool = False
    exact: bool = True
    top: int | None = None

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return math.ceil(self.size * self.width)


@dataclass(frozen=True, slots=True)
class Call:
    """A node and its inputs. Every method raises GraphError on a contradiction."""

    node: Node
    inputs: tuple[Value | None, ...]
    opset: int

    @property
    def exact(self) -> bool:
        """Whether all that is known of the inputs is exact."""
        return all(value is None or value.exact for value in self.inputs)

    def has(self, place: int) -> bool:
        """Whether the input at a place is given."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def value(self, place: int) -> Value:
        """The input at a place."""
        value = self.inputs[place] if place < len(self.inputs) else None
        if value is None:
            raise self.error(f"expected input {place}, got none")
        return value

    def shape(self, place: int) -> Shape:
        """The shape of the input at a place."""
        return self.value(place).shape

    def known(self, place: int) -> list[int]:
        """The whole numbers of the input at a place; the size of a result depends on them."""
        values = self.value(place).values
        if values is None:
            raise self.error(NO_BOUND)
        return [int(each) for each in np.atleast_1d(values).ravel()]

    def number(self, name: str, default: int) -> int:
        """An attribute that is a whole number."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int):
            raise self.error(f"attribute {name}: expected a number")
        return value

    def text(self, name: str, default: str = "") -> str:
        """An attribute that is a text."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, str):
            raise self.error(f"attribute {name}: expected a text")
        return value

    def numbers(self, name: str) -> list[int] | None:
        """An attribute that is a list of whole numbers; None if it is not there."""
        value = self.node.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, tuple) or not all(isinstance(each, int) for each in value):
            raise self.error(f"attribute {name}: expected numbers")
        return [int(each) for each in value]

    def tensor(self, name: str) -> Tensor | None:
        """An attribute that is a constant; None if it is not there."""
        value = self.node.attributes.get(name)
        if value is not None and not isinstance(value, Tensor):
            raise self.error(f"attribute {name}: expected a tensor")
        return value

    def numbers_or_input(self, name: str, place: int) -> list[int] | None:
        """Numbers that are an attribute in old opsets, and an input since."""
        found = self.numbers(name)
        return self.known(place) if found is None and self.has(place) else found

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.error(f"expected an axis below {rank}, got {axis}")
        return axis % rank

    def error(self, problem: str) -> GraphError:
        """An error that names the operator."""
        return GraphError(f"operator {self.node.operator!r:.80}: {problem}")


def broadcast(call: Call, shapes: Sequence[Shape]) -> Shape:
    """The shape that several are stretched to; of upper bounds, the larger one."""
    exact = call.exact
    rank = max(map(len, shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        for axis, side in enumerate(shape, rank - len(shape)):
            if side != 1 and result[axis] != 1 and side != result[axis]:
                if exact:
                    raise call.error(f"shapes {shapes} do not fit")
                side = max(side, result[axis])
            if side != 1:
                result[axis] = side
    return tuple(result)
