"""The examples run, and give what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
pytest.importorskip("sentence_transformers", reason="the examples compare with it")


def run(*arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """What the first example prints, and the bundle that it leaves to the others."""
    path = tmp_path_factory.mktemp("bundles") / "minilm.bundle"
    return run(ROOT / "examples" / "convert_and_compare.py", path).splitlines(), path


@pytest.fixture(scope="module")
def bundle(compared):
    return compared[1]


def test_convert_and_compare_shows_an_equal_fp32_and_a_smaller_int8(compared):
    lines = compared[0]
    worst = {line.split()[0]: float(line.split()[-1]) for line in lines if "MB" in line}
    size = {line.split()[0]: float(line.split()[3]) for line in lines if "MB" in line}
    assert worst["fp32"] > 0.99999
    assert worst["int8"] > 0.95
    assert size["int8"] < size["fp32"] / 3


def test_search_your_notes_finds_the_right_note(bundle):
    answers = run(ROOT / "examples" / "search_your_notes.py", bundle).splitlines()[1::2]
    assert [answer.split()[1] for answer in answers] == [
        "garden.md#0:",
        "recipes.md#0:",
        "car.md#0:",
    ]


def test_int8_of_minilm_is_good_enough(bundle, tmp_path):
    lines = run(ROOT / "examples" / "is_int8_good_enough.py", bundle, tmp_path / "r.html")
    scores = dict(line.rsplit(": ", 1) for line in lines.splitlines() if ": " in line)
    assert float(scores["questions ndcg@10 minilm fp32"]) > 90
    assert float(scores["texts overlap@10 minilm fp32"]) == 100
    assert lines.splitlines()[-1] == "kept"
    assert "minilm int8" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def photos_bundle(bundle, tmp_path_factory):
    import importlib.util

    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra 'photos' carries the model")
    pytest.importorskip("skimage", reason="scikit-image ships the sample images")
    spec = importlib.util.spec_from_file_location(
        "photo_search", ROOT / "examples" / "photo_search.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("photos")
    samples = folder / "samples"
    samples.mkdir()
    for path in module.sample_images():
        (samples / path.name).write_bytes(path.read_bytes())
    return module.compose(bundle, folder / "photos.bundle"), samples


def test_photo_search_finds_the_right_photos(photos_bundle):
    lines = run(ROOT / "examples" / "photo_search.py", photos_bundle[0]).splitlines()
    found = {line.split(": ")[0]: line.split(": ")[1].split()[0] for line in lines}
    assert found["a cat"] == "chelsea.png"
    assert found["a cup of coffee"] == "coffee.png"
    assert found["a motorbike in a garage"] == "motorcycle_left.png"


def test_contact_sheet_shows_every_photo_once(photos_bundle, tmp_path):
    from PIL import Image

    bundle, samples = photos_bundle
    out = tmp_path / "sheet.png"
    line = run(ROOT / "examples" / "contact_sheet.py", bundle, samples, "a cat", out)
    assert "12 of 12 photos, the best is chelsea.png" in line
    with Image.open(out) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > sheet.height / 2
