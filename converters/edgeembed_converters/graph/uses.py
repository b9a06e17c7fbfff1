"""How often values of a graph are used."""

from collections import Counter

import onnx


def value_uses(graph: onnx.GraphProto) -> Counter[str]:
    """How many inputs of nodes, and outputs of the graph, every value is, by its name."""
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(value.name for value in graph.output)
    return uses
