"""The effort has no jumps from depth to depth, and survives the catalog."""

import itertools

import pytest

from edgeembed_runtime.index.ann.effort import Efforts, read_efforts

EFFORTS = Efforts(
    depths=(1, 10, 100),
    near=(90, 64, 250),
    far=(300, 128, 500),
    far_below=0.5,
    recall=0.995,
    bound=0.991,
)


def test_effort_is_least_for_ten_hits_and_changes_without_jumps():
    near = [EFFORTS.near_effort(depth) for depth in range(1, 1001)]
    assert near[:10] == sorted(near[:10], reverse=True)
    assert near[9:] == sorted(near[9:])
    assert (near[0], near[9], near[99], near[999]) == (90, 64, 250, 2500)
    assert all(a / 1.2 <= b <= a * 1.1 for a, b in itertools.pairwise(near))
    assert [EFFORTS.far_effort(depth) for depth in (1, 10, 100, 200)] == [300, 128, 500, 1000]
    assert EFFORTS.slowdown(10) == 1
    assert EFFORTS.slowdown(100) == 250 / 64


def test_what_is_written_is_read():
    assert read_efforts(EFFORTS.to_json(), 64) == EFFORTS


def test_older_segments_have_one_effort_and_no_bound():
    old = read_efforts(0.9904, 70)
    assert old is not None
    assert (old.near_effort(10), old.recall, old.bound) == (70, 0.9904, None)
    assert old.near_effort(100) == 700
    assert old.far_below < -1  # no query is far


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        "",
        "x",
        "[]",
        "{}",
        b"x",
        "[" * 100_000,
        EFFORTS.to_json().replace("[1,10,100]", "[10,1,100]"),
        EFFORTS.to_json().replace("[1,10,100]", "[1,1,100]"),
        EFFORTS.to_json().replace("64", "-1"),
        EFFORTS.to_json().replace("64", "6.5"),
        EFFORTS.to_json().replace("64", str(10**30)),
        EFFORTS.to_json().replace("[90,64,250]", "[90,64]"),
        EFFORTS.to_json().replace("[90,64,250]", "[]"),
        EFFORTS.to_json().replace("0.5", "NaN"),
        EFFORTS.to_json().replace("0.995", "null"),
    ],
)
def test_damage_is_no_effort(damaged):
    assert read_efforts(damaged, 64) is None
