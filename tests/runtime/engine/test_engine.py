"""The engine: processors, variants, and the order of work."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.engine import cpu, variants
from edgeembed_runtime.engine.providers import CPU
from edgeembed_runtime.engine.thread_pool import map_ordered
from edgeembed_runtime.engine.variants import choose_variant
from edgeembed_runtime.errors import InputError

QUOTAS = [
    ({"cpu.max": "max 100000"}, 8),
    ({"cpu.max": "200000 100000"}, 2),
    ({"cpu.max": "250000 100000"}, 2),
    ({"cpu.max": "50000 100000"}, 1),
    ({"cpu.max": "6400000 100000"}, 8),
    ({"cpu.max": "nonsense"}, 8),
    ({"cpu.max": ""}, 8),
    ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
    ({"cpu/cpu.cfs_quota_us": "300000"}, 8),
    ({}, 8),
]


@pytest.fixture
def control_group(tmp_path, monkeypatch):
    """Write files of a control group; eight processors are allowed by affinity."""

    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        monkeypatch.setattr(cpu, "_CGROUP", tmp_path)
        monkeypatch.setattr(cpu.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    return write


@pytest.mark.parametrize(("files", "expected"), QUOTAS, ids=lambda value: str(value))
def test_processors_are_what_affinity_and_the_control_group_both_allow(
    control_group, files, expected
):
    control_group(files)
    assert cpu.available_cpus() == expected


def test_one_allowed_processor_is_one_thread_whatever_the_quota(control_group, monkeypatch):
    control_group({"cpu.max": "800000 100000"})
    monkeypatch.setattr(cpu.os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert cpu.available_cpus() == 1


def test_a_system_without_affinity_counts_its_processors(control_group, monkeypatch):
    control_group({})
    monkeypatch.delattr(cpu.os, "sched_getaffinity", raising=False)
    for count, expected in ((4, 4), (None, 1)):
        monkeypatch.setattr(cpu.os, "cpu_count", lambda count=count: count)
        assert cpu.available_cpus() == expected


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", "fpu sse2", set()),
        ("x86_64", "fpu avx2", {"avx2"}),
        ("x86_64", "avx2 avx512f avx512_vnni", {"avx2", "avx512", "vnni"}),
        ("x86_64", "avx2 avx_vnni", {"avx2", "vnni"}),
        ("aarch64", "fp asimd", {"neon"}),
        ("aarch64", "fp asimd asimddp", {"neon", "dotprod"}),
    ],
)
def test_features_of_a_linux_processor_come_from_its_flags(monkeypatch, machine, flags, expected):
    monkeypatch.setattr(cpu.platform, "machine", lambda: machine)
    monkeypatch.setattr(cpu.sys, "platform", "linux")
    monkeypatch.setattr(cpu, "_linux_flags", lambda: frozenset(flags.split()))
    assert cpu.cpu_features.__wrapped__() == expected


def test_this_machine_s_features_are_known_names():
    assert cpu.cpu_features() <= {"avx2", "avx512", "vnni", "neon", "dotprod"}


@pytest.fixture
def tower(tiny_path):
    found = Bundle.open(tiny_path).manifest.text_tower()
    fp32, int8 = found.variants
    return replace(found, variants=(fp32, replace(int8, requires=("vnni", "neon"))))


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx2", "vnni"}, "int8"),
        ({"neon"}, "int8"),
        ({"avx2", "avx512"}, "fp32"),
        (set(), "fp32"),
    ],
)
def test_auto_takes_the_fastest_variant_that_suits_the_processor(
    monkeypatch, tower, features, expected
):
    monkeypatch.setattr(variants, "cpu_features", lambda: frozenset(features))
    assert choose_variant(tower, "auto", CPU).name == expected


def test_a_variant_that_is_named_is_taken_on_any_processor(monkeypatch, tower):
    monkeypatch.setattr(variants, "cpu_features", lambda: frozenset())
    assert choose_variant(tower, "int8", CPU).name == "int8"


def test_an_unknown_variant_names_those_there_are(tower):
    with pytest.raises(InputError, match="expected auto or one of fp32, int8, got 'fp16'"):
        choose_variant(tower, "fp16", CPU)


def test_no_suitable_variant_is_an_error_that_says_how_to_force_one(monkeypatch, tower):
    monkeypatch.setattr(variants, "cpu_features", lambda: frozenset({"avx2"}))
    needy = replace(tower, variants=(tower.variants[1],))
    with pytest.raises(InputError, match=r"none of int8 suits this CPU \(avx2\); name one"):
        choose_variant(needy, "auto", CPU)


def test_another_provider_than_the_cpu_gets_the_most_faithful_variant(tower):
    assert choose_variant(tower, "auto", "CUDAExecutionProvider").name == "fp32"


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as made:
        yield made


def test_results_come_in_order_even_if_jobs_end_in_another(pool):
    def slow_first(i):
        time.sleep(0.02 if i % 8 == 0 else 0)
        return i * i

    assert list(map_ordered(slow_first, range(60), pool, first=32, ahead=32)) == [
        i * i for i in range(60)
    ]


def test_an_empty_stream_gives_nothing(pool):
    assert list(map_ordered(str, [], pool, first=32, ahead=32)) == []


def test_an_endless_stream_is_read_only_a_little_ahead(pool):
    read = itertools.count()
    results = map_ordered(lambda i: i, read, pool, first=32, ahead=32)
    assert list(itertools.islice(results, 100)) == list(range(100))
    assert next(read) <= 100 + 4 * 8 + 1


def test_nothing_is_read_before_the_first_result_is_asked_for(pool):
    read = itertools.count()
    map_ordered(lambda i: i, read, pool, first=32, ahead=32)
    assert next(read) == 0


@pytest.mark.parametrize("at", [0, 1, 5, 31, 32, 33, 90])
def test_an_error_in_a_job_comes_after_the_results_before_it(pool, at):
    def job(i):
        if i == at:
            raise LookupError(f"job {i}")
        return i

    results = map_ordered(job, itertools.count(), pool, first=32, ahead=32)
    assert list(itertools.islice(results, at)) == list(range(at))
    with pytest.raises(LookupError, match=f"job {at}$"):
        next(results)


@pytest.mark.parametrize("at", [0, 1, 5, 31, 32, 33, 90])
def test_an_error_in_the_stream_comes_after_the_results_before_it(pool, at):
    def stream():
        yield from range(at)
        raise LookupError("the stream broke")

    results = map_ordered(lambda i: i, stream(), pool, first=32, ahead=32)
    assert list(itertools.islice(results, at)) == list(range(at))
    with pytest.raises(LookupError, match="the stream broke"):
        next(results)


def test_stopping_early_drops_what_has_not_started_and_waits_for_what_has():
    started, ended, gate = [], [], threading.Event()

    def job(i):
        if i == 0:
            return i
        started.append(i)
        gate.wait(5)
        ended.append(i)
        return i

    with ThreadPoolExecutor(2) as pool:
        results = map_ordered(job, itertools.count(), pool, first=16, ahead=16)
        assert next(results) == 0
        while len(started) < 2:
            time.sleep(0.001)
        threading.Timer(0.05, gate.set).start()
        results.close()  # pyright: ignore[reportAttributeAccessIssue]
        assert sorted(ended) == sorted(started)
        assert len(started) < 2 * 8  # of those that were read ahead, most never started
        assert list(map_ordered(lambda i: i, range(5), pool, first=16, ahead=16)) == [0, 1, 2, 3, 4]
