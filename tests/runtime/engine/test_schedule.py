"""Profiles: what each does with the processors, and that none changes a vector."""

import os
import sys
import threading
import time

import numpy as np
import pytest

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.engine.schedule import PROFILES, Schedule, schedule_for
from edgeembed_runtime.engine.session import Session
from edgeembed_runtime.engine.thread_pool import WorkerPool
from edgeembed_runtime.engine.unpadded import UnpaddedEngine
from edgeembed_runtime.errors import InputError
from helpers import tiny_bundle
from helpers.tiny_tokenizers import ours

TEXTS = ["the cat sat", "a train", "", "running " * 40, "東京 naïve"]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("balanced", Schedule(threads=3, single_threads=3)),
        ("latency", Schedule(threads=3, single_threads=3, spin=True)),
        ("throughput", Schedule(threads=3, single_threads=1)),
        (
            "background",
            Schedule(threads=3, single_threads=1, run_in_caller_thread=False, low_priority=True),
        ),
    ],
)
def test_a_profile_says_who_runs_what(profile, expected):
    assert schedule_for(profile, 3) == expected


def test_background_is_one_thread_unless_more_are_asked_for():
    assert schedule_for("background", None).threads == 1


def test_a_limit_on_memory_allows_one_session_and_only_the_engine_s_own_threads():
    limited = schedule_for("balanced", 4, 500)
    assert (limited.single_threads, limited.run_in_caller_thread, limited.max_memory_mb) == (
        1,
        False,
        500,
    )


def test_an_unknown_profile_names_those_there_are(tiny_path):
    with pytest.raises(InputError, match="expected one of balanced, latency, throughput, backgr"):
        Encoder.load(tiny_path, profile="turbo")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("limit", [0, -5, 1.5, "100", True])
def test_a_limit_that_cannot_be_is_an_input_error(tiny_path, limit):
    with pytest.raises(InputError, match="max_memory_mb: expected 1 or more, or None"):
        Encoder.load(tiny_path, max_memory_mb=limit)


@pytest.mark.parametrize("profile", PROFILES)
def test_no_profile_changes_a_bit_of_a_vector(tiny_path, profile):
    with Encoder.load(tiny_path) as usual, Encoder.load(tiny_path, profile=profile) as other:
        expected = usual.encode(TEXTS)
        assert other.encode(TEXTS).tobytes() == expected.tobytes()
        for text, vector in zip(TEXTS, expected, strict=True):
            assert other.encode(text).tobytes() == vector.tobytes()
        np.testing.assert_array_equal(
            other.token_vectors("the cat").vectors, usual.token_vectors("the cat").vectors
        )


def test_background_never_works_on_the_caller_s_thread(tiny_path, monkeypatch):
    ran_on = []
    with Encoder.load(tiny_path, profile="background") as made:
        session = made._text.engine._single  # pyright: ignore
        real = session.run
        monkeypatch.setattr(
            session, "run", lambda *a: (ran_on.append(threading.current_thread().name), real(*a))[1]
        )
        made.encode("one text")
        made.encode(["one", "two"])
    assert len(ran_on) == 3
    assert all(name.startswith("edgeembed") for name in ran_on)


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a niceness of its own on Linux")
def test_low_priority_threads_are_nicer_than_the_one_that_started_them():
    def niceness(_):
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own = niceness(None)
    low, usual = WorkerPool(1, low_priority=True), WorkerPool(1)
    try:
        assert low.call(niceness, None) > own
        assert usual.call(niceness, None) == niceness(None) == own
    finally:
        low.close()
        usual.close()


@pytest.mark.parametrize("profile", ["balanced", "background"])
def test_an_idle_encoder_uses_no_processor(tiny_path, profile):
    with Encoder.load(tiny_path, profile=profile, threads=2) as made:
        made.encode(["some", "texts"] * 20)
        made.encode("one")
        time.sleep(0.05)
        before = time.process_time()
        time.sleep(1)
        assert time.process_time() - before < 0.01


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a niceness of its own on Linux")
@pytest.mark.parametrize(("profile", "nicer"), [("background", True), ("throughput", False)])
def test_only_background_s_threads_give_way_and_the_caller_never_does(tiny_path, profile, nicer):
    own, seen = os.getpriority(os.PRIO_PROCESS, 0), []
    with Encoder.load(tiny_path, profile=profile) as made:
        engine = made._text.engine

        def note(_):
            seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

        list(engine.encode_many([(0, "the cat " * 40)], note))
        assert [niceness > own for niceness in seen] == [nicer]
        made.encode("one")
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


@pytest.mark.parametrize(
    ("profile", "spinning", "sessions"),
    [
        ("balanced", set(), {1, 3}),
        ("latency", {3}, {1, 3}),
        ("throughput", set(), {1}),
        ("background", set(), {1}),
    ],
)
def test_only_the_shared_session_of_latency_stays_awake(profile, spinning, sessions):
    model, opened = tiny_bundle.graph(tiny_bundle.table()).SerializeToString(), []

    def open_session(settings):
        time.sleep(0.02)  # so that those who race for it meet
        opened.append(settings)
        return Session(model, "tiny", settings)

    engine = UnpaddedEngine(
        tokenizer=ours("wordpiece"), open_session=open_session, schedule=schedule_for(profile, 3)
    )
    users = [
        threading.Thread(target=lambda: list(engine.encode_many([(0, "a")], lambda _: None)))
        for _ in range(6)
    ]
    for user in users:
        user.start()
    for user in users:
        user.join()
    engine.close()
    assert sorted(settings.threads for settings in opened) == sorted(sessions)
    assert {settings.threads for settings in opened if settings.spin} == spinning
