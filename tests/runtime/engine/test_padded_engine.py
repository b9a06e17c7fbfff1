"""Padded batches, for devices: the vectors of the exact engine, in order, whatever the batches."""

import itertools
import os
import sys
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.bundle.signature import EMBEDDING
from edgeembed_runtime.engine.padded import PaddedEngine, bucket_lengths, plan_batches
from edgeembed_runtime.engine.schedule import schedule_for
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.engine.unpadded import UnpaddedEngine
from edgeembed_runtime.errors import InferenceError, InputError
from edgeembed_runtime.inputs.text.truncation import ignore_truncation
from helpers import tiny_bundle
from helpers.tiny_tokenizers import ours

MODEL = tiny_bundle.graph(tiny_bundle.table()).SerializeToString()
TEXTS = ["the cat", "", "running and playing in the rain " * 9, "東京", "a b c d e", "the cat"] * 3
words = st.lists(st.sampled_from(["the", "cat", "running", "東京", "x" * 9]), max_size=40)


class Opened:
    """Opens sessions on the CPU, remembers their settings, and can make their runs fail."""

    def __init__(self):
        self.settings, self.sessions, self.fail_at = [], [], None

    def __call__(self, settings):
        self.settings.append(settings)
        session = Session(MODEL, "tiny", settings)
        run = session.run
        session.run = lambda feeds, output: self._run(run, feeds, output)
        self.sessions.append(session)
        return session

    def _run(self, run, feeds, output):
        if self.fail_at is not None and feeds["input_ids"].shape == self.fail_at:
            raise InferenceError("the model failed while it ran: out of memory")
        return run(feeds, output)


@pytest.fixture
def opened():
    return Opened()


def padded(opened, *, fixed=False, budget=100, profile: Any = "balanced"):
    return PaddedEngine(
        tokenizer=ours("wordpiece"),
        open_session=opened,
        schedule=schedule_for(profile, 2),
        fixed=fixed,
        token_budget=budget,
    )


def exact_vectors(texts):
    engine = UnpaddedEngine(
        tokenizer=ours("wordpiece"), open_session=Opened(), schedule=schedule_for("balanced", 1)
    )
    found = list(engine.encode_many(enumerate(texts), ignore_truncation))
    engine.close()
    return np.stack(found)


@given(
    lengths=st.lists(st.integers(1, 300), max_size=60),
    budget=st.integers(1, 2000),
    longest=st.integers(300, 600),
)
def test_every_text_is_in_one_batch_of_its_bucket_within_the_budget(lengths, budget, longest):
    buckets = bucket_lengths(longest)
    batches = list(plan_batches(lengths, buckets, budget))
    places = [place for batch in batches for place in batch.indices]
    assert sorted(places) == list(range(len(lengths)))
    # The longest first: what does not fit into the memory is found out at once.
    assert [batch.length for batch in batches] == sorted((b.length for b in batches), reverse=True)
    for batch in batches:
        assert batch.length in buckets
        assert len(batch.indices) == 1 or len(batch.indices) * batch.length <= budget
        for place in batch.indices:
            shorter = [bucket for bucket in buckets if bucket < batch.length]
            assert max(shorter, default=0) < lengths[place] <= batch.length


@pytest.mark.parametrize(
    ("longest", "buckets"), [(256, (16, 32, 64, 128, 256)), (100, (16, 32, 64, 100)), (8, (8,))]
)
def test_buckets_double_up_to_the_longest_text(longest, buckets):
    assert bucket_lengths(longest) == buckets


@pytest.mark.parametrize(("fixed", "budget"), [(True, 1), (False, 1), (False, 50), (False, 9999)])
def test_vectors_are_those_of_the_exact_engine_in_order(opened, fixed, budget):
    engine = padded(opened, fixed=fixed, budget=budget)
    found = list(engine.encode_many(enumerate(TEXTS), ignore_truncation))
    np.testing.assert_allclose(np.stack(found), exact_vectors(TEXTS), atol=1e-6)
    one = engine.encode_one(TEXTS[2], ignore_truncation)
    np.testing.assert_allclose(one, exact_vectors(TEXTS[2:3])[0], atol=1e-6)
    tokenized = [engine.tokenizer.encode(text) for text in TEXTS]
    together = engine.encode_tokenized(tokenized, alone=False)
    np.testing.assert_allclose(together, exact_vectors(TEXTS), atol=1e-6)
    assert not engine.deterministic
    engine.close()


@given(texts=st.lists(words.map(" ".join), max_size=12), budget=st.integers(1, 200))
def test_any_texts_in_any_budget_give_the_same_vectors(texts, budget):
    engine = padded(Opened(), budget=budget)
    found = list(engine.encode_many(enumerate(texts), ignore_truncation))
    engine.close()
    assert len(found) == len(texts)
    if texts:
        np.testing.assert_allclose(np.stack(found), exact_vectors(texts), atol=1e-6)


def test_fixed_sessions_know_their_shape_and_there_is_one_for_each_length(opened):
    engine = padded(opened, fixed=True)
    list(engine.encode_many(enumerate(TEXTS), ignore_truncation))
    engine.close()
    shapes = [session._session.get_inputs()[0].shape for session in opened.sessions]
    assert sorted(shapes) == [[1, 16], [1, 32]]
    assert not any(settings.io_binding for settings in opened.settings)


def test_batches_keep_their_output_on_the_device_until_they_are_done(opened):
    engine = padded(opened)
    list(engine.encode_many(enumerate(TEXTS), ignore_truncation))
    engine.close()
    assert [settings.io_binding for settings in opened.settings] == [True]


def test_vectors_before_a_bad_text_come_first_and_the_error_names_it(opened):
    engine = padded(opened)
    results = engine.encode_many(enumerate(["the cat", "a", "\ud800", "b"]), ignore_truncation)
    first = [next(results), next(results)]
    np.testing.assert_allclose(np.stack(first), exact_vectors(["the cat", "a"]), atol=1e-6)
    with pytest.raises(InputError, match=r"inputs\[2\]: text: expected valid Unicode"):
        next(results)
    engine.close()


def test_a_batch_that_fails_names_its_inputs(opened):
    engine = padded(opened, budget=32)
    opened.fail_at = (2, 16)
    numbered = ((position + 10, text) for position, text in enumerate(["the", "cat"]))
    with pytest.raises(InferenceError, match=r"inputs\[10, 11\]: .*out of memory"):
        list(engine.encode_many(numbered, ignore_truncation))
    engine.close()


def test_a_large_batch_that_fails_names_its_first_inputs(opened):
    engine = padded(opened, budget=16 * 14)
    opened.fail_at = (14, 16)
    texts = ["a " * (1 + 7 * n % 11) for n in range(14)]
    with pytest.raises(InferenceError) as caught:
        list(engine.encode_many(enumerate(texts), ignore_truncation))
    assert str(caught.value).startswith("inputs[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]: the model failed")
    engine.close()


def test_an_engine_works_on_after_a_batch_that_failed(opened):
    engine = padded(opened, budget=32)
    opened.fail_at = (2, 16)
    with pytest.raises(InferenceError):
        list(engine.encode_many(enumerate(TEXTS), ignore_truncation))
    opened.fail_at = None
    found = list(engine.encode_many(enumerate(TEXTS), ignore_truncation))
    np.testing.assert_allclose(np.stack(found), exact_vectors(TEXTS), atol=1e-6)
    engine.close()


def test_an_endless_stream_is_read_only_a_little_ahead(opened):
    taken = itertools.count()
    texts = ((next(taken), f"text {n % 7}") for n in itertools.count())
    engine = padded(opened, fixed=True)
    results = engine.encode_many(texts, ignore_truncation)
    for _ in range(20):
        next(results)
    assert next(taken) < 100
    results.close()  # pyright: ignore[reportAttributeAccessIssue]
    engine.close()


def test_token_vectors_leave_the_padding_out(opened):
    engine = padded(opened)
    tokens, vectors = engine.encode_tokens("the cat sat", ignore_truncation)
    assert tokens.encoding.tokens == ["[CLS]", "the", "cat", "sat", "[SEP]"]
    np.testing.assert_allclose(vectors, tiny_bundle.table()[tokens.ids], atol=1e-6)
    engine.close()


@pytest.mark.parametrize("fixed", [False, True])
def test_tokens_by_themselves_are_their_rows(fixed, opened):
    engine = padded(opened, fixed=fixed)
    table = tiny_bundle.table()
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    ids = np.array([9, 30, 7, 9], np.int64)
    np.testing.assert_allclose(engine.encode_ids(ids), unit[ids], atol=1e-6)
    engine.close()


def test_binding_gives_what_a_plain_run_gives(opened):
    plain = opened(replace(SessionSettings(), io_binding=False))
    bound = opened(replace(SessionSettings(), io_binding=True))
    ids = np.array([[2, 9, 30, 3]])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    np.testing.assert_array_equal(plain.run(feeds, EMBEDDING), bound.run(feeds, EMBEDDING))


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a niceness of its own on Linux")
@pytest.mark.parametrize(("profile", "nicer"), [("background", True), ("balanced", False)])
def test_tokenizing_ahead_gives_way_in_the_background(opened, profile, nicer):
    own, seen = os.getpriority(os.PRIO_PROCESS, 0), []

    def note(_):
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    engine = padded(opened, profile=profile)
    list(engine.encode_many([(0, "the cat " * 40)], note))
    engine.close()
    assert [niceness > own for niceness in seen] == [nicer]


def test_vectors_before_a_batch_that_fails_are_given_and_the_rest_is_not_run(opened):
    short, long = "a b", "a " * 20
    texts = [*[short] * 10, long, *[short] * 10]
    engine = padded(opened, budget=64)
    opened.fail_at = (1, 32)
    results, given = engine.encode_many(enumerate(texts), ignore_truncation), []
    with pytest.raises(InferenceError, match=r"inputs\[10\]: the model failed"):
        given.extend(results)
    np.testing.assert_allclose(given, exact_vectors(texts[:10]), atol=1e-6)
    engine.close()


def test_the_first_vectors_of_a_stream_come_before_thousands_are_read(opened):
    taken = itertools.count()
    texts = ((next(taken), f"text {n % 7}") for n in itertools.count())
    engine = padded(opened)
    next(engine.encode_many(texts, ignore_truncation))
    assert next(taken) < 200
    engine.close()
