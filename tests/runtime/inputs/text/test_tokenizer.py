"""Text to token ids: exactly what tokenizers would give, truncated, whatever the text."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace

from edgeembed_runtime.errors import BundleCorruptError, InputError
from edgeembed_runtime.inputs.text import tokenizer as module
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer
from helpers import tiny_bundle
from helpers.tiny_tokenizers import KINDS, ours, saved


def theirs(kind, text, max_tokens, side="right"):
    made = Tokenizer.from_str(saved(kind))
    made.enable_truncation(max_tokens, direction=side)
    return made.encode(text).ids


characters = st.characters(exclude_categories=["Cs"])
words = st.sampled_from(
    ["the", "cat", "running", "東京", "naïve", "x" * 120, "\n", "  ", "!?", "a"]
)
texts = (
    st.text(characters, max_size=60)
    | st.lists(words, max_size=60).map(" ".join)
    | st.builds(
        lambda part, n: part * n, st.text(characters, min_size=1, max_size=6), st.integers(0, 400)
    )
)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", KINDS)
@given(text=texts, max_tokens=st.integers(3, 40))
@example(text="a" * 5000, max_tokens=4)
@example(text=" " * 5000 + "the cat", max_tokens=4)
@example(text="the cat" + " " * 5000, max_tokens=4)
@example(text="the cat " * 2000, max_tokens=5)
@example(text="", max_tokens=3)
def test_ids_are_what_tokenizers_own_truncation_gives(kind, side, text, max_tokens):
    expected = theirs(kind, text, max_tokens, side)
    if not expected:
        with pytest.raises(InputError, match="at least one token"):
            ours(kind, max_tokens, side).encode(text)
        return
    found = ours(kind, max_tokens, side).encode(text).ids
    assert found.dtype == np.int64
    assert found.tolist() == expected


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        "the cat sat on the mat. " * 500,
        "x" * 20_000,
        ("y" * 300 + " ") * 60,
        " " * 20_000 + "dog " * 50,
        "\t\n" * 10_000,
        "東京" * 5000,
        "e\u0301" * 5000,
        "cat" + "\u200b" * 20_000 + "dog",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_texts_far_longer_than_the_model_takes_give_what_the_whole_text_would(kind, text, side):
    if theirs(kind, text, 32, side):
        assert ours(kind, side=side).encode(text).ids.tolist() == theirs(kind, text, 32, side)


def test_places_of_tokens_of_the_last_part_are_those_of_the_whole_text():
    text = "the cat sat on a mat. " * 500 + "running"
    found = ours("wordpiece", side="left").encode(text)
    assert found.encoding is not None
    places = [(start, end) for start, end in found.encoding.offsets if end]
    _, end = places[-1]
    assert found.truncated
    assert found.offset > 0
    assert text[places[0][0] + found.offset :].startswith(
        ("the", "cat", "sat", "on", "a", "mat", ".")
    )
    assert end + found.offset == len(text)


@pytest.mark.parametrize("side", ["right", "left"])
def test_few_characters_of_a_long_text_are_tokenized(side):
    looked_at = []

    class Watching:
        def __init__(self, tokenizer):
            self.tokenizer = tokenizer

        def encode(self, text, **options):
            looked_at.append(len(text))
            return self.tokenizer.encode(text, **options)

        def post_process(self, encoding):
            return self.tokenizer.post_process(encoding)

    real = ours("wordpiece", side=side)
    watched = TextTokenizer(
        tokenizer=Watching(real.tokenizer),  # pyright: ignore[reportArgumentType]
        max_tokens=32,
        special_tokens=2,
        truncation_side=side,
    )
    text = "the cat sat " * 100_000
    assert watched.encode(text).ids.tolist() == real.encode(text).ids.tolist()
    assert sum(looked_at) < 10_000


@pytest.mark.parametrize(
    "part", ["some words of a text, ", "東京", "\u0301", " ", "a", "\0"], ids=repr
)
def test_ten_megabytes_take_little_time_and_memory(part):
    text = part * (10_000_000 // len(part.encode()))
    resource = pytest.importorskip("resource")
    made = ours("wordpiece")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    assert len(made.encode(text).ids) <= 32
    assert time.perf_counter() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000


@given(texts)
def test_counting_agrees_with_tokenizers(text):
    assert ours("wordpiece").count(text) == len(tiny_bundle.tokenizer().encode(text))


def test_counting_a_text_of_many_blocks_agrees_with_tokenizers():
    text = "the cat sat on a mat, running. " * 20_000
    assert len(list(module.blocks(text))) > 5
    assert ours("wordpiece").count(text) == len(tiny_bundle.tokenizer().encode(text))


@given(st.text(st.sampled_from("ab \n東"), max_size=400), st.integers(1, 50))
def test_blocks_join_to_the_text_and_know_their_places(text, size):
    found = list(module.blocks(text, size))
    assert "".join(block for _, block in found) == text
    assert all(text[at : at + len(block)] == block for at, block in found)
    assert all(len(block) <= size for _, block in found)


@pytest.mark.parametrize("kind", KINDS)
@given(text=texts)
def test_spans_are_places_in_the_text_in_order(kind, text):
    found = ours(kind).spans(text)
    spans = list(zip(found.starts.tolist(), found.ends.tolist(), strict=True))
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)


def test_sixteen_threads_share_one_tokenizer():
    made = ours("wordpiece")
    many = [f"the cat {i} " * (i % 50 + 1) for i in range(800)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda text: made.encode(text).ids.tolist(), many))
    assert found == [theirs("wordpiece", text, 32) for text in many]


def test_padding_and_truncation_that_a_tokenizer_asks_for_are_switched_off():
    asking = tiny_bundle.tokenizer()
    asking.enable_padding(length=50)
    asking.enable_truncation(4)
    made = TextTokenizer.from_bytes(asking.to_str().encode(), 32, "t.json")
    assert made.encode("the cat sat").ids.tolist() == theirs("wordpiece", "the cat sat", 32)
    assert made.encode("the cat " * 30).ids.tolist() == theirs("wordpiece", "the cat " * 30, 32)


@pytest.mark.parametrize("text", ["\ud800", "ok \udfff", "\ud83d \ude00"], ids=ascii)
def test_a_lone_surrogate_is_an_input_error(text):
    with pytest.raises(InputError, match="valid Unicode"):
        ours("wordpiece").encode(text)
    with pytest.raises(InputError, match="valid Unicode"):
        ours("wordpiece").count(text)


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0", "\0", "\0" * 100])
def test_texts_without_words_have_special_tokens_only_or_an_unknown_one(text):
    assert ours("wordpiece").encode(text).ids.tolist() == theirs("wordpiece", text, 32)


def test_a_text_without_any_token_is_an_input_error():
    with pytest.raises(InputError, match="expected at least one token, got none"):
        ours("byte_level_bare").encode("")


def deep_json():
    return b'{"version": "1.0", "model": ' + b'{"type": ' * 100_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        b'{"version": "1.0"}',
        b'{"version": "1.0", "model": {"type": "WordPiece"}}',
        b'{"version": "1.0", "model": {"type": "Telepathy", "vocab": {}}}',
        b'{"version": "9.9", "model": {"type": "BPE", "vocab": {}, "merges": []}}',
        deep_json(),
    ],
    ids=lambda data: repr(data[:50]),
)
def test_a_damaged_tokenizer_file_is_damage(data):
    with pytest.raises(BundleCorruptError, match=r"t\.json: the tokenizers library could not"):
        TextTokenizer.from_bytes(data, 32, "t.json")


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"type": "WordPiece", "vocab": {"a": -1}, "unk_token": "a"}},
        {"model": {"type": "WordPiece", "vocab": {"a": 2**40}, "unk_token": "a"}},
        {"model": {"type": "WordPiece", "vocab": ["a"], "unk_token": "a"}},
        {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["x y"]}},
        {"post_processor": {"type": "TemplateProcessing", "single": 5}},
        {"normalizer": {"type": "Nope"}},
        {"added_tokens": "none"},
    ],
    ids=lambda change: repr(change)[:60],
)
def test_a_tokenizer_file_with_a_wrong_part_is_damage(change):
    tree = {**json.loads(saved("wordpiece")), **change}
    with pytest.raises(BundleCorruptError, match=r"t\.json"):
        TextTokenizer.from_bytes(json.dumps(tree).encode(), 32, "t.json")


def test_a_tokenizer_file_of_absurd_size_is_refused_unread(monkeypatch):
    data = saved("wordpiece").encode()
    monkeypatch.setattr(module, "MAX_TOKENIZER_BYTES", len(data) - 1)
    with pytest.raises(BundleCorruptError, match=f"at most {len(data) - 1} bytes, got {len(data)}"):
        TextTokenizer.from_bytes(data, 32, "t.json")


def test_a_model_with_no_room_beside_the_special_tokens_is_refused():
    with pytest.raises(BundleCorruptError, match="adds 2 special tokens, but the model takes 2"):
        ours("wordpiece", 2)


@given(st.data())
def test_a_mutilated_tokenizer_file_raises_damage_or_works(data):
    whole = saved("wordpiece").encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    put = data.draw(
        st.binary(max_size=4) | st.sampled_from([b"-1", b"null", b"{}", b'"', b"9" * 30])
    )
    gone = data.draw(st.integers(0, 20))
    try:
        made = TextTokenizer.from_bytes(whole[:at] + put + whole[at + gone :], 32, "t.json")
    except BundleCorruptError:
        return
    try:
        assert len(made.encode("the cat sat").ids) <= 32
    except InputError:
        return


def _unigram(*, byte_fallback=False):
    pieces = [("<unk>", 0.0), ("\u2581", -2.0), ("\u2581cat", -3.0), ("c", -4.0), ("a", -4.0)]
    pieces += [(f"<0x{number:02X}>", -9.0) for number in range(256)] if byte_fallback else []
    made = Tokenizer(Unigram(pieces, unk_id=0, byte_fallback=byte_fallback))
    made.pre_tokenizer = Metaspace()
    return TextTokenizer.from_bytes(made.to_str().encode(), 16, "tokenizer.json")


@pytest.mark.parametrize(
    ("text", "known"), [("cat", True), ("東京", False), ("東京 cat", True), ("東京 京都", False)]
)
def test_a_unigram_model_knows_what_is_more_than_spaces_and_the_unknown_token(text, known):
    tokenizer = _unigram()
    assert tokenizer.unknown_id == 0
    assert "<unk>" not in tokenizer.vocabulary()
    assert tokenizer.knows(text) is known


def test_a_model_that_falls_back_to_bytes_knows_every_text():
    tokenizer = _unigram(byte_fallback=True)
    assert tokenizer.unknown_id is None
    assert tokenizer.knows("東京")
