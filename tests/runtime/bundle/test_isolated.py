"""Bundles that are used in a process of its own first."""

import pytest

from edgeembed_runtime._internal.limited_process import LimitedProcessError, Limits, run_limited
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import BundleUnsafeError
from faults.strangers.graphs import ints, node, put_graph
from helpers import tiny_bundle

MEMORY = 4 << 30


def fill_by_ids(folder, times):
    """A graph whose sizes depend on the text: they have no bound."""
    nodes = [
        node("ReduceMax", ["input_ids"], ["highest"], keepdims=0),
        node("Mul", ["highest", "times"], ["many"]),
        node("Reshape", ["many", "flat"], ["shape"]),
        node("ConstantOfShape", ["shape"], ["big"]),
        node("ReduceMax", ["big"], ["s"], keepdims=0),
    ]
    put_graph(folder, nodes, [ints("times", times), ints("flat", [1])])


@pytest.mark.slow
def test_a_graph_without_a_bound_loads_after_it_was_used_elsewhere(own_bundle):
    fill_by_ids(own_bundle, 1)
    with pytest.raises(BundleUnsafeError, match="has no bound"):
        Encoder.load(own_bundle)
    with Encoder.load(own_bundle, verify="isolated") as encoder:
        assert encoder.encode("the cat").shape == (tiny_bundle.DIM,)


@pytest.mark.slow
def test_one_that_takes_all_memory_is_refused_and_this_process_lives(own_bundle):
    fill_by_ids(own_bundle, 10**9)
    with pytest.raises(BundleUnsafeError, match="in a process of its own, found: "):
        Encoder.load(own_bundle, verify="isolated")


def test_what_a_function_returns_raises_or_does_too_long_is_told():
    assert run_limited("os.path:basename", "/a/b", Limits(memory=MEMORY, seconds=30)) == "b"
    with pytest.raises(LimitedProcessError, match=r"FileNotFoundError: .*nowhere"):
        run_limited("os:listdir", "nowhere", Limits(memory=MEMORY, seconds=30))
    with pytest.raises(LimitedProcessError, match="more than 0 seconds"):
        run_limited("os:listdir", ".", Limits(memory=MEMORY, seconds=0))


def test_a_program_without_an_interpreter_says_so(monkeypatch):
    monkeypatch.setattr("sys.executable", "")
    with pytest.raises(LimitedProcessError, match="no Python interpreter"):
        run_limited("os:listdir", ".", Limits.for_bytes(1))
