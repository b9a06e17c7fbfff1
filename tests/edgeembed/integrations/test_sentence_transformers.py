"""An Encoder as a SentenceTransformer: the same bits, its own keywords, and what is refused."""

import pickle

import numpy as np
import pytest

from edgeembed import InputError

pytest.importorskip("sentence_transformers", minversion="6")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

from sentence_transformers import SentenceTransformer, util  # noqa: E402

from edgeembed.integrations.sentence_transformers import as_sentence_transformer  # noqa: E402

TEXTS = ["the cat sat", "a dog ran in the rain " * 9, "", "soup", "the cat sat", "東京"]


@pytest.fixture
def model(encoder):
    return as_sentence_transformer(encoder)


def test_vectors_are_the_encoders_bit_for_bit(model, encoder):
    np.testing.assert_array_equal(model.encode(TEXTS), encoder.encode(TEXTS))
    np.testing.assert_array_equal(model.encode("the cat"), encoder.encode("the cat"))
    np.testing.assert_array_equal(model.encode_query(TEXTS), encoder.encode_query(TEXTS))
    np.testing.assert_array_equal(model.encode_document(TEXTS), encoder.encode_document(TEXTS))
    for prompt in ({"prompt_name": "shout"}, {"prompt": "hm "}):
        np.testing.assert_array_equal(
            model.encode(TEXTS, **prompt), encoder.encode(TEXTS, **prompt)
        )
    vectors = encoder.encode(TEXTS)
    np.testing.assert_allclose(
        model.similarity(vectors, vectors), encoder.similarity(vectors, vectors), atol=1e-6
    )


def test_it_says_of_itself_what_the_bundle_says(model, encoder):
    assert model.get_embedding_dimension() == encoder.dim
    assert model.max_seq_length == encoder.max_tokens
    assert model.prompts == encoder.prompts
    assert model.similarity_fn_name == encoder.similarity_name


@pytest.mark.parametrize("options", [
    {"batch_size": 2},
    {"batch_size": 64, "show_progress_bar": False},
    {"convert_to_numpy": True},
    {"device": "cpu"},
    {"precision": "float32"},
])  # fmt: skip
def test_keywords_that_leave_the_vectors_as_they_are(model, encoder, options):
    np.testing.assert_array_equal(model.encode(TEXTS, **options), encoder.encode(TEXTS))


def test_keywords_that_change_what_comes_out(model, encoder):
    import torch

    plain = encoder.encode(TEXTS)
    tensor = model.encode(TEXTS, convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), plain)
    each = model.encode(TEXTS, convert_to_numpy=False)
    assert [vector.shape for vector in each] == [(encoder.dim,)] * len(TEXTS)
    np.testing.assert_allclose(model.encode(TEXTS, normalize_embeddings=True), plain, atol=1e-6)
    np.testing.assert_array_equal(model.encode(TEXTS, truncate_dim=8), plain[:, :8])
    np.testing.assert_array_equal(
        model.encode(TEXTS, precision="ubinary"), encoder.encode(TEXTS, precision="ubinary")
    )
    assert model.half().encode(TEXTS, convert_to_tensor=True).dtype == torch.float16


def test_what_a_bundle_cannot_do_is_refused_in_one_line(model, encoder):
    with pytest.raises(InputError, match=r"output_value: .*use Encoder\.token_vectors"):
        model.encode(TEXTS, output_value="token_embeddings")
    with pytest.raises(InputError, match=r"processing_kwargs: a bundle has no such option"):
        model.encode(TEXTS, processing_kwargs={"text": {"max_length": 8}})
    with pytest.raises(InputError, match=r"max_seq_length: .* again with max_tokens=8"):
        model.max_seq_length = 8
    assert model.max_seq_length == encoder.max_tokens


@pytest.mark.parametrize("bad", [None, 3, b"bytes", ("a", "pair")])
def test_inputs_that_are_no_texts_are_shown(model, bad):
    with pytest.raises(InputError, match=f"expected texts, got {type(bad).__name__}, "):
        model.encode(["a", bad])


def test_it_is_saved_with_the_bundle_and_loaded_again(model, encoder, tmp_path):
    model.save(str(tmp_path / "saved"), create_model_card=False)
    loaded = SentenceTransformer(str(tmp_path / "saved"), trust_remote_code=True, device="cpu")
    np.testing.assert_array_equal(loaded.encode(TEXTS), encoder.encode(TEXTS, prompt=""))
    np.testing.assert_array_equal(loaded.encode_query(TEXTS), encoder.encode_query(TEXTS))
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.encode(TEXTS), encoder.encode(TEXTS))


def test_its_utilities_take_it(model, encoder):
    import torch

    found = util.semantic_search(
        torch.from_numpy(encoder.encode("the cat sat")), model.encode(TEXTS, convert_to_tensor=True)
    )
    assert found[0][0]["corpus_id"] in (0, 4)
    pairs = util.paraphrase_mining(model, TEXTS)
    assert sorted(pairs[0][1:]) == [0, 4]


@pytest.mark.filterwarnings("ignore")  # of mteb, about what it does not know of the model
def test_mteb_gives_it_the_scores_of_the_encoder(model, encoder, tmp_path):
    mteb = pytest.importorskip("mteb")
    tasks = pytest.importorskip("helpers.mteb_tasks")
    from edgeembed.evaluate.mteb_model import MtebModel

    def score(judged, name):
        cache = mteb.ResultCache(cache_path=tmp_path / name)
        options = {"co2_tracker": False, "show_progress_bar": False, "cache": cache}
        result = mteb.evaluate(judged, tasks.LocalSTS(), **options)
        return result.task_results[0].scores["test"][0]["cosine_spearman"]

    assert score(model, "one") == pytest.approx(score(MtebModel(encoder), "other"))
