"""Tokens that the tokenizer has and the model lacks: an error for the text that has them alone."""

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer

from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.bundle.graph.reading import read_graph
from edgeembed_runtime.bundle.graph.token_table import token_rows
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.engine.padded import PaddedEngine
from edgeembed_runtime.engine.schedule import schedule_for
from edgeembed_runtime.engine.session import Session
from edgeembed_runtime.errors import InferenceError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer
from edgeembed_runtime.inputs.text.truncation import ignore_truncation
from helpers import tiny_bundle

ROWS = tiny_bundle.tokenizer().get_vocab_size()
TEXTS = ["the cat", "a dog", "the <image> of a cat", "the mat"]
MESSAGE = rf"expected token ids below {ROWS}.*got {ROWS} \('<image>'\) at token 2"


def with_an_added_token():
    made = Tokenizer.from_str(tiny_bundle.tokenizer().to_str())
    made.add_tokens([AddedToken("<image>", special=False)])
    assert made.token_to_id("<image>") == ROWS
    return made.to_str().encode()


@pytest.fixture(scope="module", params=[False, True], ids=["contextual", "static"])
def bundle(request, tmp_path_factory):
    return tiny_bundle.write_tiny_bundle(
        tmp_path_factory.mktemp("added") / "bundle",
        tower={"static": request.param},
        replaced={"tokenizer.json": with_an_added_token()},
    )


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_a_graph_says_how_many_ids_it_knows(bundle, variant):
    assert token_rows(read_graph(Bundle.open(bundle).read(f"{variant}.onnx"))) == ROWS


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_one_text_with_such_a_token_is_an_error_and_the_next_is_not(bundle, variant):
    with Encoder.load(bundle, variant=variant) as encoder:
        with pytest.raises(InferenceError, match=f"text: {MESSAGE}"):
            encoder.encode(TEXTS[2])
        assert np.isfinite(encoder.encode(TEXTS[3])).all()


def test_texts_before_it_are_encoded_and_the_error_names_its_position(bundle):
    with Encoder.load(bundle, variant="fp32") as encoder:
        stream = encoder.encode_iter(TEXTS)
        expected = [encoder.encode(text) for text in TEXTS[:2]]
        found = [next(stream) for _ in range(2)]
        np.testing.assert_array_equal(np.stack(found), np.stack(expected))
        with pytest.raises(InferenceError, match=rf"inputs\[2\]: text: {MESSAGE}"):
            next(stream)


def test_padded_batches_report_it_too():
    data = tiny_bundle.graph(tiny_bundle.table()).SerializeToString()
    engine = PaddedEngine(
        tokenizer=TextTokenizer.from_bytes(with_an_added_token(), 32, "t.json"),
        open_session=lambda settings: Session(data, "tiny", settings),
        schedule=schedule_for("balanced", 1),
        fixed=False,
    )
    stream = engine.encode_many(enumerate(TEXTS), ignore_truncation)
    assert [next(stream).shape for _ in range(2)] == [(tiny_bundle.DIM,)] * 2
    with pytest.raises(InferenceError, match=rf"inputs\[2\]: text: {MESSAGE}"):
        next(stream)
    engine.close()


def test_the_vocabulary_of_a_static_model_has_rows_only(tmp_path):
    path = tiny_bundle.write_tiny_bundle(
        tmp_path / "static",
        tower={"static": True},
        replaced={"tokenizer.json": with_an_added_token()},
    )
    with Encoder.load(path, variant="fp32") as encoder:
        assert "<image>" not in encoder.vocabulary
        assert len(encoder.most_similar("cat", k=3)) == 3
