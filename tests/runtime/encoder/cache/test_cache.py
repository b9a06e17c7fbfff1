"""The embedding cache: never a wrong vector, never a lost result, never too large."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeembed_runtime.encoder.cache import EmbeddingCache
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError, TruncationWarning
from helpers import tiny_bundle

TEXTS = ["the cat", "a train", "", "東京", "running " * 40]


def runs_of(encoder, monkeypatch):
    """The texts that the model is run on from now on."""
    engine, seen = encoder._text.engine, []
    real = engine.encode_many

    def watched(texts, on_truncation):
        return real((seen.append(item[1]) or item for item in texts), on_truncation)

    monkeypatch.setattr(engine, "encode_many", watched)
    return seen


@given(lists=st.lists(st.lists(st.sampled_from([*TEXTS, "b", "c"])), min_size=1, max_size=4))
def test_hits_and_misses_give_the_same_bytes(cached, plain, lists):
    for texts in lists:
        expected = plain.encode(texts).tobytes()
        assert cached.encode(texts).tobytes() == expected
        assert b"".join(v.tobytes() for v in cached.encode_iter(texts)) == expected
        for text in texts:
            assert cached.encode(text).tobytes() == plain.encode(text).tobytes()


def test_a_text_is_run_once_and_remembered_by_the_next_encoder(tiny_path, cached, monkeypatch):
    cached.encode(TEXTS)
    with Encoder.load(tiny_path, variant="int8", cache=cached._options.cache) as later:
        seen = runs_of(later, monkeypatch)
        later.encode(TEXTS)
        later.encode(TEXTS[1])
        assert seen == []
        later.encode(["new", *TEXTS])
        assert seen == ["new"]


def test_a_prompt_makes_another_text(cached, plain):
    for prompt in ("", "query: ", ""):
        found = cached.encode("the cat", prompt=prompt)
        assert found.tobytes() == plain.encode("the cat", prompt=prompt).tobytes()


def test_another_variant_or_model_never_gets_them(tmp_path, tiny_path, cache):
    other = tiny_bundle.write_tiny_bundle(tmp_path / "other", space="another")
    with (
        Encoder.load(tiny_path, variant="fp32", cache=cache) as fp32,
        Encoder.load(tiny_path, variant="int8", cache=cache) as int8,
        Encoder.load(other, variant="fp32", cache=cache) as another,
    ):
        assert fp32.encode(TEXTS).tobytes() != int8.encode(TEXTS).tobytes()
        another.encode(TEXTS)
    assert len(cache) == 3 * len(TEXTS)


def test_it_stays_within_its_size_and_the_oldest_leave(tmp_path, tiny_path):
    cache = EmbeddingCache(tmp_path / "small.sqlite", max_mb=1)
    with Encoder.load(tiny_path, cache=cache) as made:
        made.encode("the very first")
        for start in range(0, 9000, 1000):
            made.encode([f"text {number}" for number in range(start, start + 1000)])
        held = len(cache)
        with pytest.MonkeyPatch.context() as patch:
            seen = runs_of(made, patch)
            made.encode(["text 8999", "the very first"])
        assert seen == ["the very first"]
    cache.close()
    assert 3500 < held < 9000
    assert (tmp_path / "small.sqlite").stat().st_size < 1.5 * (1 << 20)


def test_clear_forgets_everything(cache, cached):
    cached.encode(TEXTS)
    cache.clear()
    assert len(cache) == 0


def test_a_closed_cache_opens_again_when_it_is_needed(cache, cached):
    cached.encode(TEXTS)
    cache.close()
    assert len(cache) == len(TEXTS)


def test_with_a_policy_a_long_text_is_noticed_even_if_it_is_known(cached):
    long = "the cat " * 60
    cached.encode([long])
    with pytest.raises(InputError, match=r"inputs\[0\]: text: expected at most 32 tokens"):
        cached.encode([long], truncation="error")
    with pytest.warns(TruncationWarning, match="1 text was truncated to 32"):
        cached.encode([long], truncation="warn")


def test_vectors_before_a_bad_text_are_given_and_kept(cache, cached):
    results = cached.encode_iter(["one", "two", "\ud800", "three"])
    assert len(list(itertools.islice(results, 2))) == 2
    with pytest.raises(InputError, match=r"inputs\[2\]: text: expected valid Unicode"):
        next(results)
    assert len(cache) == 2


def test_positions_are_of_all_inputs_even_if_most_are_known(cached):
    cached.encode([f"text {number}" for number in range(300)])
    texts = [f"text {number}" for number in range(300)] + ["new", "\ud800"]
    with pytest.raises(InputError, match=r"inputs\[301\]:"):
        cached.encode(texts)


def test_chunks_of_a_long_text_go_through_it(cached, plain):
    long = "the cat sat on the mat. " * 40
    for _ in range(2):
        np.testing.assert_array_equal(
            cached.encode(long, chunk=True), plain.encode(long, chunk=True)
        )


def test_a_full_cache_forgets_little_at_once(tmp_path, tiny_path):
    cache = EmbeddingCache(tmp_path / "small.sqlite", max_mb=1)
    held = []
    with Encoder.load(tiny_path, cache=cache) as made:
        for start in range(0, 12_000, 250):
            made.encode([f"text {number}" for number in range(start, start + 250)])
            held.append(len(cache))
    cache.close()
    full = held[held.index(max(held)) :]
    assert len(full) > 10
    assert min(full) > 0.8 * max(full)


@settings(max_examples=30)
@given(known=st.sets(st.integers(0, 11)), bad=st.integers(0, 11))
def test_a_bad_text_among_known_ones_is_named_by_its_place_and_work_before_it_is_kept(
    tiny_path, tmp_path, known, bad
):
    name = f"{bad}-{'-'.join(map(str, sorted(known)))}.sqlite"
    cache = EmbeddingCache(tmp_path / name)
    texts = [f"text {number}" for number in range(12)]
    with Encoder.load(tiny_path, cache=cache) as made:
        made.encode([texts[at] for at in sorted(known)])
        texts[bad] = "\ud800"
        with pytest.raises(InputError, match=rf"inputs\[{bad}\]: text: expected valid Unicode"):
            made.encode(texts)
    assert len(cache) == len(known | set(range(bad)))
    cache.close()


def test_what_a_caller_does_to_a_vector_never_gets_into_the_cache(cached, plain):
    for vector in cached.encode_iter(["a", "b"]):
        vector *= 2
    assert cached.encode(["a", "b"]).tobytes() == plain.encode(["a", "b"]).tobytes()


def test_equal_texts_of_a_stream_have_vectors_of_their_own(cached):
    first, second = cached.encode_iter(["same", "same"])
    first *= 2
    assert not np.array_equal(first, second)


def test_a_hit_may_be_written_to_like_a_miss(cached):
    for _ in range(2):
        cached.encode("a")[0] = 1
        next(cached.encode_iter(["a"]))[0] = 1


def test_vectors_before_a_bad_item_are_given(cached):
    results = cached.encode_iter(["one", None])
    assert next(results).shape == (16,)
    with pytest.raises(InputError, match=r"inputs\[1\]"):
        next(results)


def test_a_stream_is_read_only_a_little_ahead(cached):
    read = itertools.count()
    next(cached.encode_iter(f"text {next(read)}" for _ in itertools.count()))
    assert next(read) <= 50


def test_the_first_of_equal_bad_texts_is_named(cached):
    with pytest.raises(InputError, match=r"inputs\[0\]"):
        list(cached.encode_iter(["\ud800", "a", "\ud800"]))


def test_a_bad_text_alone_has_no_position(cached, plain):
    messages = []
    for encoder in (cached, plain):
        with pytest.raises(InputError) as caught:
            encoder.encode("\ud800")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
