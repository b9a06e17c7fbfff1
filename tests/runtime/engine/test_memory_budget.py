"""A limit on memory: measured, kept by fewer threads, refused where it cannot be kept."""

import mmap
import re
import subprocess
import sys
import textwrap

import pytest

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.engine.memory import resident_bytes, trim_heap
from edgeembed_runtime.engine.memory_budget import threads_within
from edgeembed_runtime.errors import InputError
from helpers import tiny_bundle

MB = 1 << 20


def taken(megabytes):
    """Memory that is resident, and new to this process."""
    pages = mmap.mmap(-1, megabytes * MB)
    pages[::4096] = b"x" * (len(pages) // 4096)
    return pages


class Runs:
    """Runs that take, and keep, a megabyte for every token."""

    def __init__(self):
        trim_heap()
        taken(64).close()  # what writing needs in passing is there before the base is taken
        self.base = resident_bytes()
        self.model = taken(20)
        self.kept = None
        self.lengths = []

    def __call__(self, tokens):
        self.lengths.append(tokens)
        if self.kept:
            self.kept.close()
        self.kept = taken(tokens)


def threads(budget_mb, wanted=8, max_tokens=16):
    runs = Runs()
    found = threads_within(budget_mb, wanted, base=runs.base, max_tokens=max_tokens, run=runs)
    return found, runs


def test_as_many_threads_as_fit_beside_the_model():
    # 20 MB of model, and 2 x 16 MB for each run: an arena may keep twice what a run needs.
    assert threads(20 + 3 * 32 + 12)[0] == 3


def test_no_more_threads_than_asked_for():
    assert threads(5000, wanted=2)[0] == 2


def test_too_little_is_refused_with_the_number_that_would_do():
    with pytest.raises(InputError, match="max_memory_mb: expected at least") as refused:
        threads(30)
    needed = int(re.search(r"at least (\d+)", str(refused.value))[1])
    assert 45 < needed < 65
    assert threads(needed + 10)[0] >= 1


def test_lengths_grow_and_stop_where_the_budget_breaks():
    runs = Runs()
    with pytest.raises(InputError, match=r"a text of 128 tokens .it takes up to 4096"):
        threads_within(200, 8, base=runs.base, max_tokens=4096, run=runs)
    assert runs.lengths == [64, 128]


def test_an_encoder_within_a_limit_gives_the_same_vectors(tiny_path):
    texts = ["the cat", "a long one " * 30, ""]
    with Encoder.load(tiny_path) as free, Encoder.load(tiny_path, max_memory_mb=300) as limited:
        assert limited.encode(texts).tobytes() == free.encode(texts).tobytes()
        assert limited.encode(texts[1]).tobytes() == free.encode(texts[1]).tobytes()
        assert limited.threads <= free.threads


def test_resident_memory_rises_with_what_is_kept_and_falls_when_it_is_given_back():
    before = resident_bytes()
    kept = [bytearray(b"x" * 4096) for _ in range(16 * 1024)]
    assert resident_bytes() - before > 50 * MB
    kept.clear()
    trim_heap()
    assert resident_bytes() - before < 20 * MB


@pytest.fixture(scope="module")
def wide_path(tmp_path_factory):
    """A bundle whose vectors are wide, so that its table is 24 MB."""
    rows = tiny_bundle.tokenizer().get_vocab_size()
    dim = 24 * MB // (4 * rows) // 8 * 8
    return tiny_bundle.write_tiny_bundle(
        tmp_path_factory.mktemp("wide") / "wide.bundle", dim=dim, space="wide"
    )


def in_a_fresh_process(code, path):
    """What `code` prints, run where no earlier test has freed memory that a model would reuse."""
    done = subprocess.run(
        [sys.executable, "-c", f"path = {str(path)!r}\n{textwrap.dedent(code)}"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_encoder_has_as_many_threads_as_the_limit_allows(wide_path):
    code = """
        from edgeembed_runtime.encoder.encoder import Encoder
        with Encoder.load(path, variant="fp32", threads=500, max_memory_mb=150) as made:
            assert made.encode(["the cat"] * 3).shape == (3, made.dim)
            print(made.threads)
    """
    assert 1 <= int(in_a_fresh_process(code, wide_path)) <= 150 - 20


def test_an_encoder_that_cannot_fit_is_refused_with_a_limit_that_suffices(wide_path):
    code = """
        import re
        from edgeembed_runtime.encoder.encoder import Encoder
        from edgeembed_runtime.errors import InputError
        try:
            Encoder.load(path, variant="fp32", max_memory_mb=3)
        except InputError as refused:
            assert re.search(r"tokens .it takes up to 32., got 3", str(refused)), refused
            needed = int(re.search(r"at least (\\d+)", str(refused))[1])
        Encoder.load(path, variant="fp32", max_memory_mb=needed + 10).close()
        print(needed)
    """
    assert 20 <= int(in_a_fresh_process(code, wide_path)) < 150
