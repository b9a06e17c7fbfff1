"""Whatever can be converted passes the runtime's own checks of graphs and tokenizers."""

import pytest

from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.bundle.graph.room import Expected, Room
from edgeembed_runtime.inputs.text.tokenizer_file import check_tokenizer_file

pytestmark = pytest.mark.slow
KINDS = ("bert", "roberta", "xlm-roberta", "mpnet", "modernbert", "deberta-v2", "convbert", "t5")


@pytest.mark.parametrize("kind", KINDS)
def test_graphs_and_tokenizers_of_converted_models_pass(tiny, converted, kind):
    directory = tiny.transformers(kind, layers=2, positions=64, limit=64)
    # Quantizing puts the same operators into every graph, and takes three times as long.
    quantize = "int8" if kind in ("bert", "deberta-v2") else None
    bundle = Bundle.open(converted(directory, quantize=quantize).path)
    tower = bundle.manifest.text_tower()
    assert check_tokenizer_file(bundle.read(tower.tokenizer)) >= 1
    for variant in tower.variants:
        for tokens in (tower.max_tokens, 5):
            expected = Expected.texts(tokens, static=tower.static)
            Room.checked(bundle.read(variant.file), variant.name, expected)
