"""How many token ids a graph knows: the rows of the table that it looks them up in.

Read from the file, because not every provider fails on a row that is not there.
"""

from edgeembed_runtime.bundle.graph.reading import Graph
from edgeembed_runtime.bundle.signature import INPUT_IDS

_LOOK_UPS = frozenset(("Gather", "GatherBlockQuantized"))
_SAME_VALUES = frozenset(("Identity", "Cast", "DequantizeLinear"))
# The graph of a variant that takes no padding adds zeros to the ids, to check its mask.
_CHECKED_IDS = f"unpadded_{INPUT_IDS}"


def token_rows(graph: Graph) -> int | None:
    """The number of rows that a graph has for tokens: ids must be below it.

    None if it does not look `input_ids` up in a table of its own.
    """
    ids, tables = {INPUT_IDS, _CHECKED_IDS}, dict[str, str]()
    read: list[str] = []
    for node in graph.nodes:
        if node.operator in _LOOK_UPS and node.inputs[1] in ids:
            read.append(node.inputs[0])
        elif node.operator in _SAME_VALUES and node.inputs[0] in ids:
            ids.update(node.outputs)
        elif node.operator in _SAME_VALUES:
            tables[node.outputs[0]] = node.inputs[0]
    shapes = [
        graph.constants[name].shape
        for name in (_origin(each, tables) for each in read)
        if name in graph.constants
    ]
    return min((shape[0] for shape in shapes if shape), default=None)


def _origin(name: str, tables: dict[str, str]) -> str:
    while name in tables:
        name = tables[name]
    return name
