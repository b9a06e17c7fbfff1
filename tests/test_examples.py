"""The examples run, and give what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytest.importorskip("sentence_transformers", reason="the examples compare with it")


def run(*arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_convert_and_compare_shows_an_equal_fp32_and_a_smaller_int8():
    lines = run(ROOT / "examples" / "convert_and_compare.py").splitlines()
    worst = {line.split()[0]: float(line.split()[-1]) for line in lines if "MB" in line}
    size = {line.split()[0]: float(line.split()[3]) for line in lines if "MB" in line}
    assert worst["fp32"] > 0.99999
    assert worst["int8"] > 0.95
    assert size["int8"] < size["fp32"] / 3


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    from edgeembed.demo.minilm import find_minilm
    from edgeembed_converters import convert

    path = tmp_path_factory.mktemp("bundles") / "minilm.bundle"
    convert(find_minilm(), path, quantize="int8", name="minilm")
    return path


@pytest.mark.slow
def test_search_your_notes_finds_the_right_note(bundle):
    answers = run(ROOT / "examples" / "search_your_notes.py", bundle).splitlines()[1::2]
    assert [answer.split()[1] for answer in answers] == [
        "garden.md#0:",
        "recipes.md#0:",
        "car.md#0:",
    ]


@pytest.mark.slow
def test_int8_of_minilm_is_good_enough(bundle, tmp_path):
    lines = run(ROOT / "examples" / "is_int8_good_enough.py", bundle, tmp_path / "r.html")
    scores = dict(line.rsplit(": ", 1) for line in lines.splitlines() if ": " in line)
    assert float(scores["questions ndcg@10 minilm fp32"]) > 90
    assert float(scores["texts overlap@10 minilm fp32"]) == 100
    assert lines.splitlines()[-1] == "kept"
    assert "minilm int8" in (tmp_path / "r.html").read_text(encoding="utf-8")
