"""Nearest words and analogies on a static model's own vocabulary."""

import numpy as np
import pytest

from edgeembed_runtime.bundle import FileEntry, Manifest, Source, Subwords, TextTower, Words
from edgeembed_runtime.bundle.manifest_json import manifest_from_json, manifest_to_json
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import BundleCorruptError, InputError
from helpers import tiny_bundle


@pytest.fixture(scope="module")
def static(tmp_path_factory):
    """The tiny bundle, whose graph looks rows up and takes their mean."""
    folder = tmp_path_factory.mktemp("static") / "out"
    made = tiny_bundle.tokenizer()
    made.post_processor = None
    tiny_bundle.write_tiny_bundle(
        folder, tower={"static": True}, replaced={"tokenizer.json": made.to_str().encode()}
    )
    with Encoder.load(folder, variant="fp32") as encoder:
        yield encoder


def expected(positive, negative, words, k):
    """3CosAdd in plain numpy, over every word but those asked about."""
    made = tiny_bundle.tokenizer()
    unit = tiny_bundle.table().astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows = {word: unit[made.token_to_id(word)] for word in words}
    target = sum(rows[word] for word in positive) - sum(rows[word] for word in negative)
    target = target / np.linalg.norm(target)
    others = [word for word in words if word not in (*positive, *negative)]
    return sorted(((word, rows[word] @ target) for word in others), key=lambda pair: -pair[1])[:k]


def test_the_vocabulary_holds_every_token_but_the_special_ones(static):
    assert "cat" in static.vocabulary
    assert "[UNK]" not in static.vocabulary


@pytest.mark.parametrize(
    ("positive", "negative"), [(["cat"], []), (["cat", "rain"], ["dog"]), (["sun"], ["rain"])]
)
def test_neighbors_are_those_of_the_table(positive, negative, static):
    found = static.most_similar(positive, negative, k=7)
    peers = expected(positive, negative, static.vocabulary, 7)
    assert [near.word for near in found] == [word for word, _ in peers]
    np.testing.assert_allclose([near.score for near in found], [s for _, s in peers], atol=1e-6)


def test_one_word_needs_no_list(static):
    assert static.most_similar("cat", "dog", k=3) == static.most_similar(["cat"], ["dog"], k=3)


def test_no_more_neighbors_than_there_are_words(static):
    assert len(static.most_similar("cat", k=10_000)) == len(static.vocabulary) - 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "got none"),
        ((["東"],), "words in the vocabulary, got '東'"),
        (("",), r"words in the vocabulary|at least one token"),
        ((["cat", 3],), "expected a text"),
        (("cat", (), 0), "k: expected 1 or more"),
        (("cat", (), True), "k: expected 1 or more"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments, message, static):
    with pytest.raises(InputError, match=message):
        static.most_similar(*arguments)


def test_a_model_that_is_not_static_says_so(tmp_path):
    tiny_bundle.write_tiny_bundle(tmp_path / "out")
    with Encoder.load(tmp_path / "out") as encoder:
        with pytest.raises(InputError, match="expected a static model"):
            encoder.most_similar("cat")
        with pytest.raises(InputError, match="expected a static model"):
            _ = encoder.vocabulary


def manifest(**tower):
    fidelity = tiny_bundle.fidelity(*[np.eye(2, dtype=np.float32)] * 2)
    variant = tiny_bundle.Variant(name="fp32", file="fp32.onnx", fidelity=fidelity)
    return Manifest(
        name="m", space="s", dim=4, normalized=False,
        source=Source(id="x", weights_sha256="0"),
        text=TextTower(tokenizer="t.json", max_tokens=9, variants=(variant,), **tower),
        files=dict.fromkeys(("t.json", "fp32.onnx", "golden.json"), ENTRY),
    )  # fmt: skip


ENTRY = FileEntry(bytes=1, sha256="0")
SUBWORDS = Subwords(first_row=11, buckets=7, min_n=2, max_n=3)


@pytest.mark.parametrize(
    "words",
    [
        Words(lowercase=True, split_punctuation=False, unknown="mean"),
        Words(lowercase=False, split_punctuation=True, unknown="subword", subwords=SUBWORDS),
    ],
)
def test_a_manifest_of_words_survives_json(words):
    made = manifest(static=True, words=words)
    assert manifest_from_json(manifest_to_json(made)) == made


@pytest.mark.parametrize(
    "broken",
    [
        lambda: Words(lowercase=True, split_punctuation=True, unknown="guess"),  # pyright: ignore[reportArgumentType]
        lambda: Words(lowercase=True, split_punctuation=True, unknown="subword"),
        lambda: Words(lowercase=True, split_punctuation=True, unknown="zero", subwords=SUBWORDS),
        lambda: Subwords(first_row=-1, buckets=7, min_n=2, max_n=3),
        lambda: Subwords(first_row=0, buckets=0, min_n=2, max_n=3),
        lambda: Subwords(first_row=0, buckets=7, min_n=0, max_n=3),
        lambda: Subwords(first_row=0, buckets=7, min_n=4, max_n=3),
        lambda: Subwords(first_row=0, buckets=7, min_n=2, max_n=1000),
        lambda: manifest(words=Words(lowercase=True, split_punctuation=True, unknown="zero")),
        lambda: manifest(
            static=True,
            outputs=("embedding", "token_embeddings"),
            words=Words(lowercase=True, split_punctuation=True, unknown="zero"),
        ),
    ],
)
def test_words_that_contradict_themselves_are_refused(broken):
    with pytest.raises(BundleCorruptError, match="words"):
        broken()
