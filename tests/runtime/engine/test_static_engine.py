"""Tables in batches of equal length: the bits of a text alone, in any company, and after a fork."""

import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_converters.export.table import table_graph
from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.engine.schedule import schedule_for
from edgeembed_runtime.engine.session import Session
from edgeembed_runtime.engine.static import StaticEngine
from edgeembed_runtime.engine.unpadded import UnpaddedEngine
from edgeembed_runtime.errors import InferenceError, InputError
from edgeembed_runtime.inputs.text.truncation import TruncatedTexts, ignore_truncation
from helpers import tiny_bundle
from helpers.tiny_tokenizers import ours

MODELS = {rows: table_graph(tiny_bundle.table(), rows, normalize=True) for rows in ("fp32", "int8")}
# Its sums are not the same to the bit in a batch.
OTHER = tiny_bundle.graph(tiny_bundle.table()).SerializeToString()
words = st.sampled_from(["the", "cat", "running", "東京", "x" * 9, "naïve", ""])
texts = st.lists(st.lists(words, max_size=40).map(" ".join), max_size=60)


class Opened:
    """Opens sessions, and makes runs of texts of `fail_at` tokens fail."""

    fail_at: int | None = None

    def __init__(self, model=MODELS["int8"]):
        self.model = model

    def __call__(self, settings):
        session = Session(self.model, "tiny", settings)
        run = session.run

        def checked(feeds, output):
            if feeds["input_ids"].shape[1] == self.fail_at:
                raise InferenceError("the model failed while it ran: out of memory")
            return run(feeds, output)

        session.run, session.model = checked, self.model  # pyright: ignore
        return session


def engine_of(kind: Any = StaticEngine, *, opened=None, profile: Any = "balanced", threads=None):
    return kind(
        tokenizer=ours("wordpiece"),
        open_session=opened or Opened(),
        schedule=schedule_for(profile, threads),
    )


@pytest.fixture(scope="module", params=[*MODELS, "other"])
def static(request):
    engine = engine_of(opened=Opened(MODELS.get(request.param, OTHER)))
    assert engine._batches == (request.param != "other")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def exact(static):
    engine = engine_of(UnpaddedEngine, opened=Opened(static._session(1).model))
    yield engine
    engine.close()


@given(some=texts)
def test_a_text_has_the_same_bits_alone_and_in_any_company(static, some):
    found = list(static.encode_many(enumerate(some), ignore_truncation))
    assert len(found) == len(some)
    for text, vector in zip(some, found, strict=True):
        assert vector.tobytes() == static.encode_one(text, ignore_truncation).tobytes()


@pytest.mark.parametrize("alone", [False, True])
def test_tokenized_texts_have_the_same_bits(static, exact, alone):
    some = ["a", "the cat sat", "the cat sat " * 9]
    for engine in (static, exact):
        tokenized = [engine.tokenizer.encode(text) for text in some]
        found = engine.encode_tokenized(tokenized, alone=alone)
        expected = list(engine.encode_many(enumerate(some), ignore_truncation))
        assert found.tobytes() == np.stack(expected).tobytes()


@given(some=texts)
def test_the_vectors_are_those_of_the_exact_engine(static, exact, some):
    found = list(static.encode_many(enumerate(some), ignore_truncation))
    expected = list(exact.encode_many(enumerate(some), ignore_truncation))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_thousands_of_texts_come_in_order(static, exact):
    some = [f"the cat {'ran ' * (n % 30)}{n}" for n in range(3000)]
    found = list(static.encode_many(enumerate(some), ignore_truncation))
    expected = list(exact.encode_many(enumerate(some[::100]), ignore_truncation))
    np.testing.assert_allclose(found[::100], expected, atol=1e-6)


@pytest.mark.parametrize("profile", ["balanced", "background"])
def test_vectors_before_a_bad_text_come_first_and_the_error_names_it(profile):
    engine = engine_of(profile=profile)
    results = engine.encode_many(enumerate(["the cat", "a", "\ud800", "b"]), ignore_truncation)
    assert len([next(results), next(results)]) == 2
    with pytest.raises(InputError, match=r"inputs\[2\]: text: expected valid Unicode"):
        next(results)
    engine.close()


def test_vectors_before_a_failed_run_come_first_and_the_error_names_its_texts():
    opened = Opened()
    engine = engine_of(opened=opened)
    opened.fail_at = len(ours("wordpiece").encode("the cat sat").ids)
    some = ["the", "a cat", "the cat sat", "the", "the cat ran"]
    found = []
    with pytest.raises(InferenceError, match=r"inputs\[2, 4\]: the model failed"):
        found.extend(engine.encode_many(enumerate(some), ignore_truncation))
    assert len(found) <= 2
    engine.close()


def test_long_texts_are_cut_noted_and_refused(static):
    long = "the cat sat " * 400
    cuts = []
    found = list(static.encode_many(enumerate(["a", long]), cuts.append))
    assert cuts == [long]
    assert found[1].tobytes() == static.encode_one(long, ignore_truncation).tobytes()
    refuse = TruncatedTexts("error", static.tokenizer)
    with pytest.raises(InputError, match=r"inputs\[1\]: text: expected at most"):
        list(static.encode_many(enumerate(["a", long]), refuse.note))


def test_a_stream_is_read_a_little_ahead_only(static):
    read = []

    def endless():
        while True:
            read.append(None)
            yield len(read), "the cat"

    stream = static.encode_many(endless(), ignore_truncation)
    assert next(stream).shape == (16,)
    assert len(read) < 4 * static.window * available_cpus()
    stream.close()


@pytest.mark.parametrize(("profile", "threads"), [("background", None), ("balanced", 1)])
def test_fewer_threads_than_processors_do_without_the_tokenizers_own(profile, threads):
    engine = engine_of(profile=profile, threads=threads)
    engine.tokenizer = replace(engine.tokenizer)
    alone = available_cpus() == 1 and profile == "balanced"
    assert engine._parallel == alone
    assert len(list(engine.encode_many(enumerate(["a", "the cat"]), ignore_truncation))) == 2
    engine.close()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("environment", [{}, {"TOKENIZERS_PARALLELISM": "true"}])
def test_a_forked_child_encodes_the_same_and_nothing_is_printed(environment, tmp_path):
    script = """
        import os, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from test_static_engine import engine_of, ignore_truncation

        texts = ["the cat", "a", "running and playing"] * 20
        engine = engine_of()
        vectors = engine.encode_many(enumerate(texts), ignore_truncation)
        before = b"".join(v.tobytes() for v in vectors)
        settings = dict(os.environ)
        child = os.fork()
        if child == 0:
            engine = engine_of()
            vectors = engine.encode_many(enumerate(texts), ignore_truncation)
            Path(sys.argv[1]).write_bytes(b"".join(v.tobytes() for v in vectors))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert Path(sys.argv[1]).read_bytes() == before
        assert dict(os.environ) == settings
        print("fine")
    """
    result = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            textwrap.dedent(script),
            tmp_path / "found",
            Path(__file__).parent,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        check=False,
    )
    assert (result.stdout, result.stderr) == ("fine\n", "")
