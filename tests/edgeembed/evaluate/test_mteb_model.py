"""mteb itself runs a bundle, on tasks whose data is made here; the scores are computed again."""

import socket

import numpy as np
import pytest

from edgeembed import Encoder
from edgeembed.evaluate.mteb_model import MtebModel
from edgeembed_runtime.errors import InputError
from helpers import tiny_bundle

mteb = pytest.importorskip("mteb")
stats = pytest.importorskip("scipy.stats")
linear_model = pytest.importorskip("sklearn.linear_model")
tasks = pytest.importorskip("helpers.mteb_tasks")

PromptType = mteb.types.PromptType


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def encoder(tiny_path):
    with Encoder.load(tiny_path, variant="fp32", threads=1) as loaded:
        yield loaded


@pytest.fixture
def model(encoder):
    return MtebModel(encoder)


def scores(model, task, cache=None):
    result = mteb.evaluate(model, task, cache=cache, co2_tracker=False, show_progress_bar=False)
    (found,) = result.task_results[0].scores["test"]
    return found


def cosines(left, right):
    left, right = left.astype(np.float64), right.astype(np.float64)
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def sts_spearman(encode):
    first, second, gold = zip(*tasks.PAIRS, strict=True)
    return stats.spearmanr(cosines(encode(list(first)), encode(list(second))), gold).statistic


def ndcg_at_10(ranked, judged):
    def dcg(gains):
        return sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains[:10]))

    ideal = sorted(judged.values(), reverse=True)
    return dcg([judged.get(key, 0) for key in ranked]) / dcg(ideal)


def test_it_is_an_encoder_for_mteb_and_nothing_else(model):
    assert isinstance(model, mteb.models.EncoderProtocol)
    assert not isinstance(model, mteb.models.CrossEncoderProtocol)
    assert not isinstance(model, mteb.models.SearchProtocol)


def test_mtebs_sts_score_is_scipys(model, encoder):
    found = scores(model, tasks.LocalSTS())
    expected = sts_spearman(encoder.encode)
    assert -0.99 < expected < 0.99
    for name in ("main_score", "cosine_spearman", "spearman"):
        assert found[name] == pytest.approx(expected, abs=1e-9)


def test_mtebs_retrieval_score_is_that_of_the_encoders_query_and_document_vectors(model, encoder):
    documents = encoder.encode_document(
        [f"{title} {text}".strip() for _, title, text in tasks.CORPUS]
    )
    expected = []
    for key, text in tasks.QUERIES:
        order = np.argsort(-(documents @ encoder.encode_query(text)))
        expected.append(ndcg_at_10([tasks.CORPUS[at][0] for at in order], tasks.JUDGMENTS[key]))
    assert np.mean(expected) < 0.999
    # mteb rounds it to five places.
    assert scores(model, tasks.LocalRetrieval())["main_score"] == pytest.approx(
        np.mean(expected), abs=1e-5
    )


def test_mtebs_classification_score_is_scikit_learns(model, encoder):
    # There are as many texts of a label as mteb samples, so that it trains on all of them.
    classifier = linear_model.LogisticRegression(max_iter=100)
    classifier.fit(encoder.encode([*tasks.ANIMALS[:3], *tasks.TRAVEL[:3]]), [0] * 3 + [1] * 3)
    expected = classifier.score(
        encoder.encode([*tasks.ANIMALS[3:], *tasks.TRAVEL[3:]]), [0, 0, 1, 1]
    )
    assert expected == 0.75
    assert scores(model, tasks.LocalClassification())["main_score"] == pytest.approx(expected)


def test_mtebs_clustering_runs_and_parts_what_is_apart(model):
    assert scores(model, tasks.LocalClustering())["main_score"] == pytest.approx(1.0)


def batches(*texts):
    return [{"text": list(batch)} for batch in texts]


def encoded(model, inputs, prompt_type=None, **options):
    # What mteb passes, and something that it may come to pass.
    return model.encode(
        inputs,
        task_metadata=tasks.LocalSTS.metadata,
        hf_split="test",
        hf_subset="default",
        prompt_type=prompt_type,
        batch_size=2,
        new_option=None,
        **options,
    )


def test_queries_and_documents_get_the_prompts_of_their_role(model, encoder):
    texts = ["the cat", "the dog", "a soup"]
    inputs = batches(texts[:2], texts[2:])
    for role, expected in [
        (PromptType.query, encoder.encode_query(texts)),
        (PromptType.document, encoder.encode_document(texts)),
        (None, encoder.encode(texts)),
    ]:
        assert np.array_equal(encoded(model, inputs, role), expected)
    assert encoded(model, []).shape == (0, encoder.dim)


@pytest.mark.parametrize(
    ("role", "prompts", "chosen"),
    [
        (PromptType.query, ("LocalSTS-query", "LocalSTS", "STS-query", "STS", "query"), 0),
        (PromptType.query, ("LocalSTS", "STS-query", "STS", "query"), 0),
        (PromptType.query, ("query", "STS", "STS-query"), 2),
        (PromptType.document, ("document", "STS", "STS-query"), 1),
        (None, ("query", "STS"), 1),
    ],
)
def test_a_prompt_for_the_task_or_its_type_comes_first(tmp_path, role, prompts, chosen):
    texts = {name: f"{'cat ' * at} train " for at, name in enumerate(prompts)}
    path = tiny_bundle.write_tiny_bundle(tmp_path / "p.bundle", tower={"prompts": texts})
    with Encoder.load(path, variant="fp32", threads=1) as encoder:
        found = encoded(MtebModel(encoder), batches(["the dog"]), role)
        expected = encoder.encode(["the dog"], prompt=texts[prompts[chosen]])
        assert np.array_equal(found, expected)


def test_a_precision_that_mteb_passes_on_is_obeyed(model, encoder):
    found = encoded(model, batches(["the dog"]), precision="int8")
    assert np.array_equal(found, encoder.encode(["the dog"], precision="int8"))
    assert found.dtype == np.int8


@pytest.mark.parametrize("precision", ["binary", "int4"])
def test_a_precision_without_a_similarity_is_refused(model, precision):
    with pytest.raises(InputError, match=f"precision: expected float32.*{precision}"):
        encoded(model, batches(["the dog"]), precision=precision)


def test_batches_without_text_are_refused(model):
    with pytest.raises(InputError, match="expected batches with 'text', found image"):
        encoded(model, [{"image": ["?"]}])


@pytest.mark.parametrize("kind", ["cosine", "dot", "euclidean", "manhattan"])
def test_similarities_are_the_models_own(tmp_path, kind):
    path = tiny_bundle.write_tiny_bundle(tmp_path / "s.bundle", similarity=kind)
    with Encoder.load(path, variant="fp32", threads=1) as encoder:
        model = MtebModel(encoder)
        assert model.mteb_model_meta.similarity_fn_name.value == kind
        a, b = encoder.encode(list(tasks.ANIMALS)), encoder.encode(list(tasks.TRAVEL))
        expected = encoder.similarity(a, b)
        found = model.similarity(a, b)
        assert np.array_equal(found, expected)
        assert model.similarity_pairwise(a, b).numpy() == pytest.approx(np.diag(expected), abs=1e-6)
        # mteb gives tensors too, and single vectors, and takes a single score for a number.
        assert np.array_equal(model.similarity(found, found), encoder.similarity(found, found))  # pyright: ignore[reportArgumentType]
        assert float(model.similarity(a[0], b[1])) == pytest.approx(expected[0, 1], abs=1e-6)


def test_pairs_without_a_counterpart_are_refused(model):
    with pytest.raises(InputError, match="expected pairs of vectors, got 3 and 2"):
        model.similarity_pairwise(np.eye(3, 16), np.eye(2, 16))


def test_the_meta_data_is_the_bundles(model, encoder):
    meta = model.mteb_model_meta
    assert meta.name == "edgeembed/tiny-fp32"
    assert (meta.embed_dim, meta.max_tokens) == (encoder.dim, encoder.max_tokens)
    assert meta.framework == ["ONNX"]
    assert meta.modalities == ["text"]
    assert meta.n_parameters is None
    assert meta.adapted_from == "tests/tiny"
    assert meta.use_instructions


def test_the_default_name_is_one_that_mteb_takes_whatever_the_bundles_name(tmp_path):
    path = tiny_bundle.write_tiny_bundle(tmp_path / "n.bundle", name="some one/a model")
    with Encoder.load(path, variant="int8", threads=1) as encoder:
        assert MtebModel(encoder).mteb_model_meta.name == "edgeembed/some-one-a-model-int8"
        assert MtebModel(encoder, name="me/mine").mteb_model_meta.name == "me/mine"


@pytest.mark.parametrize(
    "name", ["", "mine", "me/", "/mine", "me/my/own", "me/my own", "me/mine\n"]
)
def test_a_name_that_mteb_would_not_take_is_refused(encoder, name):
    with pytest.raises(InputError, match="expected 'organization/model'"):
        MtebModel(encoder, name=name)


def test_the_revision_tells_variants_and_spaces_apart_and_nothing_else(tiny_path, other_bundle):
    def revision(path, variant):
        with Encoder.load(path, variant=variant, threads=1) as encoder:
            return MtebModel(encoder).mteb_model_meta.revision

    wanted = [(tiny_path, "fp32"), (tiny_path, "int8"), (other_bundle, "fp32")]
    found = [revision(*which) for which in wanted]
    assert len(set(found)) == 3
    assert found == [revision(*which) for which in wanted]


def test_mtebs_cache_never_serves_another_variants_results(model, encoder, tiny_path, tmp_path):
    cache = mteb.ResultCache(tmp_path / "cache")
    own = MtebModel(encoder, name="me/mine")
    expected = scores(own, tasks.LocalSTS(), cache)["cosine_pearson"]
    with Encoder.load(tiny_path, variant="int8", threads=1) as small:
        other = MtebModel(small, name="me/mine")
        assert abs(scores(other, tasks.LocalSTS(), cache)["cosine_pearson"] - expected) > 1e-4
    own.encode = None  # pyright: ignore[reportAttributeAccessIssue] From here on it can only come from the cache.
    again = scores(own, tasks.LocalSTS(), cache)["cosine_pearson"]
    assert again == pytest.approx(expected, abs=1e-6)  # It rounds what it writes.


def test_mtebs_compression_wrapper_takes_it(model, encoder):
    wrapped = mteb.models.CompressionWrapper(model, mteb.types.OutputDType.FLOAT16)
    expected = sts_spearman(lambda texts: encoder.encode(texts).astype(np.float16))
    assert scores(wrapped, tasks.LocalSTS())["main_score"] == pytest.approx(expected, abs=1e-9)
