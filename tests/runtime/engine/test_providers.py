"""Providers: their options, the shapes they get, and where the nodes of a graph went."""

from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest

from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.engine.providers import (
    CPU,
    coreml_cache,
    input_shapes,
    resolve_providers,
)
from edgeembed_runtime.engine.variants import choose_variant
from edgeembed_runtime.errors import InputError, ProviderError

CUDA, COREML = "CUDAExecutionProvider", "CoreMLExecutionProvider"


@pytest.fixture
def every_provider(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, COREML, CPU])


def test_no_providers_means_the_cpu():
    assert resolve_providers(None) == ((CPU, {}),)


@pytest.mark.parametrize("name", ["cpu", "CPU", "CPUExecutionProvider", "cpuexecutionprovider"])
def test_a_provider_s_short_name_and_any_case_will_do(name):
    assert resolve_providers([name]) == ((CPU, {}),)
    assert resolve_providers((name,)) == ((CPU, {}),)


def test_options_of_a_provider_are_kept():
    options = {"arena_extend_strategy": "kSameAsRequested"}
    assert resolve_providers([("cpu", options)]) == ((CPU, options),)


def test_the_cpu_comes_last_where_it_is_not_named(every_provider):
    assert [name for name, _ in resolve_providers(["cuda"])] == [CUDA, CPU]
    assert [name for name, _ in resolve_providers(["cpu", "cuda"])] == [CPU, CUDA]


def test_a_provider_that_is_not_there_is_an_error_that_names_what_is():
    with pytest.raises(ProviderError) as caught:
        resolve_providers(["Abacus"])
    assert "provider 'Abacus'" in str(caught.value)
    assert all(name in str(caught.value) for name in onnxruntime.get_available_providers())


@pytest.mark.parametrize(
    "providers", ["cpu", "", [], (), 5, [5], [None], [("cpu",)], [("cpu", {}, 1)], [("cpu", 5)], {}]
)
def test_what_is_no_list_of_providers_is_an_input_error(providers):
    with pytest.raises(InputError, match="providers: expected"):
        resolve_providers(providers)


def options(providers):
    return dict(resolve_providers(providers))


def test_cuda_is_in_full_precision_on_the_first_device_and_takes_what_it_needs(every_provider):
    assert options(["cuda"])[CUDA] == {
        "device_id": "0",
        "use_tf32": "0",
        "arena_extend_strategy": "kSameAsRequested",
    }


def test_the_user_s_options_win_and_become_strings(every_provider):
    found = options([("CUDA", {"device_id": 1, "use_tf32": 1, "gpu_mem_limit": 2 << 30})])[CUDA]
    assert found["device_id"] == "1"
    assert found["use_tf32"] == "1"
    assert found["gpu_mem_limit"] == "2147483648"


def test_coreml_gets_a_program_fixed_shapes_and_a_place_for_what_it_compiles(every_provider):
    found = options(["coreml"])[COREML]
    assert found["ModelFormat"] == "MLProgram"
    assert found["RequireStaticInputShapes"] == "1"
    assert Path(found["ModelCacheDirectory"]) == coreml_cache()
    assert coreml_cache().is_absolute()


def test_the_place_for_compiled_models_may_be_chosen(every_provider):
    found = options([("coreml", {"ModelCacheDirectory": "/app/cache"})])[COREML]
    assert found["ModelCacheDirectory"] == "/app/cache"


@pytest.mark.parametrize(
    ("names", "shapes"),
    [(None, "exact"), (["cpu"], "exact"), (["cuda"], "batched"), (["coreml"], "fixed")],
)
def test_the_first_provider_decides_the_shapes(every_provider, names, shapes):
    assert input_shapes(resolve_providers(names)) == shapes


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="there is CUDA here")
def test_a_provider_that_is_not_there_is_an_error_with_the_fix(tiny_path):
    with pytest.raises(ProviderError, match=r"install the onnxruntime build .*onnxruntime-gpu"):
        Encoder.load(tiny_path, providers=["cuda"])


def test_a_provider_that_does_not_load_is_an_error_and_never_another_one(
    tiny_path, every_provider, recwarn
):
    with pytest.raises(ProviderError, match=f"provider {CUDA}: requested, but onnxruntime loaded"):
        Encoder.load(tiny_path, providers=["cuda"])


def test_every_node_of_a_graph_is_counted(tiny_path):
    with Encoder.load(tiny_path) as made:
        assert made.active_providers == (CPU,)
        assert set(made.nodes_by_provider) == {CPU}
        assert made.nodes_by_provider[CPU] >= 6
        assert made.deterministic


@pytest.fixture
def tower(tiny_path):
    tower = Bundle.open(tiny_path).manifest.text_tower()
    half = replace(tower.variants[0], name="fp16", requires=("cuda", "coreml"), speedup=9.0)
    return replace(tower, variants=(*tower.variants, half))


@pytest.mark.parametrize("provider", [CUDA, COREML])
def test_a_variant_made_for_a_provider_is_chosen_there(tower, provider):
    assert choose_variant(tower, "auto", provider).name == "fp16"


def test_it_is_never_chosen_on_the_cpu_but_may_be_named(tower):
    assert choose_variant(tower, "auto", CPU).name != "fp16"
    assert choose_variant(tower, "fp16", CPU).name == "fp16"


def test_a_provider_without_a_variant_of_its_own_gets_the_most_faithful_of_any_machine(tower):
    assert choose_variant(tower, "auto", "DmlExecutionProvider").name == "fp32"


def test_no_variant_for_a_provider_is_an_error(tower):
    only_int8 = replace(tower, variants=(tower.variants[1],))
    with pytest.raises(InputError, match=f"none of int8 suits {CUDA}; name one"):
        choose_variant(only_int8, "auto", CUDA)
