"""Directories that sentence-transformers saved: the bundle gives sentence-transformers' vectors."""

import json
import shutil

import pytest
from torch import nn

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError

pytestmark = pytest.mark.slow

POOLINGS = {
    "cls": "cls",
    "mean": "mean",
    "max": "max",
    "lasttoken": "last",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
    "weightedmean": "weightedmean",
}


@pytest.mark.parametrize("theirs", POOLINGS)
def test_pooling(theirs, tiny, converted, reference, encode, texts, assert_same_vectors):
    source = tiny.sentence(f"pooling-{theirs}", pooling=theirs)
    report = converted(source)
    assert report.pooling == POOLINGS[theirs]
    assert report.notes == ()
    assert_same_vectors(reference(source).encode(list(texts)), encode(report.path, texts))


def test_two_poolings_are_concatenated_in_the_model_s_order(
    tiny, converted, reference, encode, texts, assert_same_vectors
):
    source = tiny.sentence("pooling-mean-cls", pooling=("mean", "cls"))
    report = converted(source)
    assert (report.pooling, report.dim) == ("mean+cls", 64)
    assert_same_vectors(reference(source).encode(list(texts)), encode(report.path, texts))


def test_pooling_flags_of_older_versions(
    tiny, converted, reference, encode, texts, assert_same_vectors
):
    source = tiny.new_path("old-flags")
    shutil.copytree(tiny.sentence("pooling-mean-cls", pooling=("mean", "cls")), source)
    flags = {
        "word_embedding_dimension": 32,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": True,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    (source / "1_Pooling" / "config.json").write_text(json.dumps(flags))
    report = converted(source)
    assert report.pooling == "max+mean"
    assert_same_vectors(reference(source).encode(list(texts)), encode(report.path, texts))


HEADS = {
    "tanh": ([{"out_features": 16}], ("Dense 32x16 Tanh", "Normalize")),
    "plain": (
        [{"out_features": 16, "bias": False, "activation_function": None}],
        ("Dense 32x16 Identity", "Normalize"),
    ),
    "two": (
        [
            {"out_features": 48, "activation_function": nn.ReLU()},
            {"in_features": 48, "out_features": 24, "activation_function": nn.GELU()},
        ],
        ("Dense 32x48 ReLU", "Dense 48x24 GELU", "Normalize"),
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_dense_and_normalize(name, tiny, converted, reference, encode, texts, assert_same_vectors):
    dense, expected_names = HEADS[name]
    source = tiny.sentence(f"head-{name}", head=dense, normalize=True)
    report = converted(source)
    assert report.head == expected_names
    with Encoder.load(report.path) as encoder:
        assert encoder.normalized
    assert_same_vectors(reference(source).encode(list(texts)), encode(report.path, texts))


@pytest.mark.parametrize("width", [32, 16], ids=["same-width", "projected"])
def test_residual_dense(width, tiny, converted, reference, encode, texts, assert_same_vectors):
    source = residual_model(tiny, width)
    report = converted(source)
    assert_same_vectors(reference(source).encode(list(texts)), encode(report.path, texts))


def residual_model(tiny, width):
    import inspect

    from sentence_transformers.sentence_transformer.modules import Dense

    if "use_residual" not in inspect.signature(Dense).parameters:
        pytest.skip("this sentence-transformers has no residual Dense")
    return tiny.sentence(f"residual-{width}", head=[{"out_features": width, "use_residual": True}])


def test_residual_belongs_to_the_space(tiny, converted):
    with_residual = residual_model(tiny, 32)
    without = tiny.new_path("residual-32")
    shutil.copytree(with_residual, without)
    config = without / "2_Dense" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "use_residual": False}))
    assert converted(with_residual).space != converted(without).space


@pytest.mark.parametrize(
    "name", ["somebody.activations.Snake", "torch.nn.Bilinear", "torch.hub.load"]
)
def test_foreign_activation_is_refused(name, tiny, converted):
    source = tiny.new_path("foreign")
    shutil.copytree(tiny.sentence("head-tanh", head=HEADS["tanh"][0], normalize=True), source)
    config = source / "2_Dense" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "activation_function": name}))
    with pytest.raises(ConversionError) as caught:
        converted(source)
    assert "2_Dense" in str(caught.value) or name in str(caught.value)
    assert "Dense" in str(caught.value) or "ctivation" in str(caught.value)


# -- settings --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prompted(tiny):
    """A model with a query and a document prompt, and settings of every kind."""
    return tiny.sentence(
        "prompted",
        kind="bert-cased",
        max_seq_length=12,
        do_lower_case=True,
        prompts={"query": "How do I ", "document": "passage: ", "task": "search "},
        similarity_fn_name="dot",
    )


@pytest.fixture(scope="module")
def default_prompted(tiny):
    return tiny.sentence("default", prompts={"task": "search: "}, default_prompt_name="task")


def test_settings_are_taken_over(prompted, converted):
    report = converted(prompted)
    assert report.max_tokens == 12
    with Encoder.load(report.path) as encoder:
        assert dict(encoder.prompts) == {
            "query": "How do I ",
            "document": "passage: ",
            "task": "search ",
        }
        assert encoder.similarity_name == "dot"
        assert not encoder.normalized
        assert encoder.max_tokens == 12


def test_lower_casing_is_in_the_tokenizer(prompted, converted, encode):
    upper, lower = encode(converted(prompted).path, ["THE QUICK BROWN FOX", "the quick brown fox"])
    assert (upper == lower).all()


def test_option_overrides_are_stronger_than_files(prompted, converted):
    report = converted(
        prompted, max_tokens=9, prompts={"query": "q: "}, pooling="cls", normalize=True, name="own"
    )
    assert (report.max_tokens, report.pooling, report.head) == (9, "cls", ("Normalize",))
    assert report.name == "own"
    assert report.notes == ("pooling cls, as asked, instead of the model's own mean",)
    with Encoder.load(report.path) as encoder:
        assert dict(encoder.prompts) == {"query": "q: "}
        assert encoder.normalized


@pytest.mark.parametrize("method", ["encode", "encode_query", "encode_document"])
@pytest.mark.parametrize("model", ["prompted", "default_prompted"])
def test_prompts_are_put_where_sentence_transformers_puts_them(
    request, model, method, converted, reference, encode, texts, assert_same_vectors
):
    source = request.getfixturevalue(model)
    expected = getattr(reference(source), method)(list(texts))
    assert_same_vectors(expected, encode(converted(source).path, texts, method=method))


def test_passage_prompt(tiny, converted, reference, encode, texts, assert_same_vectors):
    source = tiny.sentence("passages", prompts={"query": "query: ", "passage": "passage: "})
    original, bundle = reference(source), converted(source).path
    assert_same_vectors(
        original.encode_query(list(texts)), encode(bundle, texts, method="encode_query")
    )
    # Its encode_document promises "passage" where there is no "document", but up to 6.2 an empty
    # "document" prompt, which every model has, stops it; edgeembed does what is promised.
    assert_same_vectors(
        original.encode(list(texts), prompt_name="passage"),
        encode(bundle, texts, method="encode_document"),
    )


def test_named_prompt(prompted, converted, reference, encode, texts, assert_same_vectors):
    expected = reference(prompted).encode(list(texts), prompt_name="task")
    found = encode(converted(prompted).path, texts, prompt_name="task")
    assert_same_vectors(expected, found)
