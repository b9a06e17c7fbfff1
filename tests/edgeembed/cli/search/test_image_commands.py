"""Images on the command line: index, search by words and by example, dedupe, HTML pages."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image
from typer.testing import CliRunner

from edgeembed import Encoder, Index
from edgeembed.cli.app import app
from edgeembed.evaluate.datasets.images import read_labeled_images
from edgeembed.evaluate.models.bundle import BundleModel
from edgeembed.evaluate.tasks.images import ZeroShot
from edgeembed.ingest.near_duplicates import near_duplicates
from edgeembed_runtime.errors import InputError
from helpers import tiny_images
from helpers.tiny_images import photo

RUN = CliRunner()


def run(*arguments, code=0):
    result = RUN.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def run_json(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_images.write_image_bundle(tmp_path_factory.mktemp("bundles") / "image.bundle")


@pytest.fixture(scope="module")
def dual(tmp_path_factory, tiny_path):
    target = tmp_path_factory.mktemp("bundles") / "dual.bundle"
    return tiny_images.write_dual_bundle(target, tiny_path)


@pytest.fixture
def photos(tmp_path):
    """Six images in two folders, and a note."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number in range(6):
        place = folder / "more" if number > 3 else folder
        photo(80 + number, 60, seed=number).save(place / f"{number}.png")
    (folder / "note.txt").write_text("no image")
    return folder


def test_a_folder_of_images_is_indexed_and_only_changes_are_encoded(bundle, photos, tmp_path):
    index = tmp_path / "index"
    first = run_json("index", photos, "--model", bundle, "-i", index)
    assert (first["images"], first["encoded"], first["documents"]) == (6, 6, 6)
    again = run_json("index", photos, "-i", index)
    assert (again["encoded"], again["unchanged"]) == (0, 6)
    photo(seed=99).save(photos / "1.png")
    (photos / "2.png").rename(photos / "moved.png")
    (photos / "3.png").unlink()
    third = run_json("index", photos, "-i", index)
    changed = {name: third[name] for name in ("encoded", "moved", "removed", "unchanged")}
    assert changed == {"encoded": 1, "moved": 1, "removed": 2, "unchanged": 3}
    assert run_json("index", photos, "-i", index, "--all")["encoded"] == 5
    with Index.open(index) as opened, Encoder.load(bundle) as encoder:
        path = photos / "moved.png"
        (hit,) = opened.search(encoder.encode_image(path), k=1)
        assert hit.key == path.as_posix() and hit.score == pytest.approx(1, abs=1e-5)
        assert hit.metadata == {"source": path.as_posix()}


def test_broken_images_are_named_and_skipped(bundle, photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff junk")
    (photos / "empty.gif").write_bytes(b"")
    (photos / "folder.jpg").mkdir()
    index = tmp_path / "index"
    result = run("index", photos, "--model", bundle, "-i", index, code=1)
    assert f"edgeembed: {photos / 'broken.jpg'}: expected an image" in result.stderr
    assert f"edgeembed: {photos / 'empty.gif'}: expected an image, got 0 bytes" in result.stderr
    assert "6 images encoded" in result.stderr and "images/s), " in result.stderr
    assert "2 skipped; it holds 6" in result.stderr
    with Index.open(index) as opened:
        assert len(opened) == 6
    # An image that breaks later keeps what the index has of it.
    (photos / "1.png").write_bytes(b"broken now")
    report = run_json("index", photos, "-i", index, code=1)
    assert report["documents"] == 6 and len(report["failed"]) == 3


def test_a_file_that_is_named_is_tried_whatever_its_ending(bundle, photos, tmp_path):
    path = tmp_path / "image"
    shutil.copy(photos / "1.png", path)
    assert run_json("index", path, "--model", bundle, "-i", tmp_path / "i")["encoded"] == 1


def test_search_by_an_example_image(bundle, photos, tmp_path):
    index = tmp_path / "index"
    run("index", photos, "--model", bundle, "-i", index)
    example = photos / "more" / "4.png"
    page = tmp_path / "found.html"
    found = run_json("search", "--image", example, "-i", index, "-k", 3, "--html", page)
    assert found["hits"][0]["key"] == example.as_posix()
    assert len(found["hits"]) == 3 and found["query"] == str(example)
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/jpeg;base64,") == 3 and example.as_posix() in html
    assert "http://" not in html and "https://" not in html and "<script" not in html
    assert example.as_posix() in run("search", "--image", example, "-i", index).stdout


def test_search_by_words_needs_a_text_tower_and_finds_with_one(bundle, dual, photos, tmp_path):
    run("index", photos, "--model", bundle, "-i", tmp_path / "a")
    refused = run("search", "a cat", "-i", tmp_path / "a", code=1)
    assert "expected one that encodes texts, got one for images only" in refused.stderr
    run("index", photos, "--model", dual, "-i", tmp_path / "b")
    found = run_json("search", "a cat", "-i", tmp_path / "b", "-k", 2)
    with Encoder.load(dual) as encoder:
        vectors = {p: encoder.encode_image(p) for p in photos.rglob("*.png")}
        query = encoder.encode_query("a cat")
        best = max(vectors, key=lambda path: float(vectors[path] @ query))
    assert found["hits"][0]["key"] == best.as_posix()


def test_search_wants_words_or_a_image(tmp_path):
    for arguments in ((), ("words", "--image", "a.png")):
        assert "and one of them" in run("search", *arguments, code=1).stderr


def test_dedupe_finds_what_was_resized_and_recompressed(bundle, photos, tmp_path):
    original = photo(400, 300, seed=41)
    original.save(photos / "original.png")
    original.resize((200, 150)).save(photos / "small.jpg", quality=80)
    (photos / "broken.jpg").write_bytes(b"junk")
    page = tmp_path / "page.html"
    found = run_json(
        "dedupe", photos, "--model", bundle, "--threshold", 0.99, "--html", page, code=1
    )
    (group,) = found["groups"]
    assert {member["path"] for member in group} == {
        str(photos / "original.png"),
        str(photos / "small.jpg"),
    }
    assert group[0]["cosine"] == pytest.approx(1) and group[1]["cosine"] > 0.99
    assert found["images"] == 8 and "broken.jpg" in found["failed"][0]
    assert "Group 1" in page.read_text(encoding="utf-8")
    shown = run("dedupe", photos, "--model", bundle, "--threshold", 0.99, code=1)
    assert "8 images, 2 of them in 1 groups" in shown.stderr


def test_near_duplicates_are_the_connected_parts_of_a_graph():
    np = pytest.importorskip("numpy")
    angles = np.deg2rad([0, 90, 4, 8, 91, 180])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32) * 3
    groups = near_duplicates(vectors, float(np.cos(np.deg2rad(5))))
    assert [group.members for group in groups] == [(0, 2, 3), (1, 4)]
    assert groups[0].cosines == pytest.approx([1, np.cos(angles[2]), np.cos(angles[3])], abs=1e-6)
    assert near_duplicates(vectors[:1], 0.5) == []


def test_a_page_escapes_names(photos, bundle, tmp_path):
    evil = photos / "a <script>alert(1)<script>.png"
    photo(seed=8).save(evil)
    page = tmp_path / "page.html"
    run("index", photos, "--model", bundle, "-i", tmp_path / "i")
    run("search", "--image", evil, "-i", tmp_path / "i", "--html", page)
    assert "<script>" not in page.read_text(encoding="utf-8")


def test_inspect_verify_and_doctor_know_image_towers(bundle, dual):
    shown = run("inspect", bundle).stdout
    assert "images, 32 x 32 pixels" in shown and "image int8" in shown
    tests = run_json("verify", dual)["self_tests"]
    assert [(t["modality"], t["variant"]) for t in tests] == [
        ("text", "fp32"),
        ("text", "int8"),
        ("image", "fp32"),
    ]
    assert "image fp32" in run("verify", bundle).stdout
    doctor = run("doctor", bundle)
    assert "image variant fp32" in doctor.stdout


def test_a_dual_bundle_is_evaluated_on_images_and_a_text_bundle_is_refused(
    dual, tiny_path, photos, tmp_path
):
    data = tmp_path / "labeled"
    for number, path in enumerate(sorted(photos.glob("*.png"))):
        (data / ("cat", "dog")[number % 2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, data / ("cat", "dog")[number % 2])
    task = ZeroShot(name="two", data=read_labeled_images(data))
    observed = task.observe(BundleModel(dual, "int8"), lambda _: None)
    with Encoder.load(dual, variant="int8") as encoder:
        texts = encoder.encode(["a photo of a cat.", "a photo of a dog."])
        images = encoder.encode_image(list(task.data.images))
    right = [name == "dog" for name in task.data.labels]
    assert (observed.values[:, 0] == ((images @ texts.T).argmax(1) == right)).all()
    assert BundleModel(dual, "int8").key != BundleModel(dual, "fp32").key
    with pytest.raises(InputError, match="one that encodes images, got one for texts only"):
        task.observe(BundleModel(tiny_path, "fp32"), lambda _: None)


def test_images_are_embedded_in_order(bundle, photos, tmp_path):
    paths = [photos / "3.png", photos / "0.png"]
    with Encoder.load(bundle) as encoder:
        expected = encoder.encode_image(paths)
    lines = [json.loads(line) for line in run("embed", bundle, *paths).stdout.splitlines()]
    assert [line["image"] for line in lines] == [str(path) for path in paths]
    np.testing.assert_allclose([line["embedding"] for line in lines], expected, atol=1e-7)
    summary = run_json("embed", bundle, *paths, "-o", tmp_path / "v.npy")
    assert (summary["images"], summary["dim"]) == (2, len(expected[0]))
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), expected)


def test_a_broken_image_is_named_and_nothing_is_written(bundle, photos, tmp_path):
    (photos / "broken.png").write_bytes(b"no image")
    output = tmp_path / "v.npy"
    result = run("embed", bundle, photos / "0.png", photos / "broken.png", "-o", output, code=1)
    assert "broken.png" in result.stderr
    assert "Traceback" not in result.stderr
    assert not output.exists()


def test_texts_and_images_are_not_embedded_in_one_run(dual, photos):
    result = run("embed", dual, photos / "0.png", photos / "note.txt", code=1)
    assert "two runs" in " ".join(result.stderr.split())


def test_a_text_bundle_says_that_it_encodes_no_images(tiny_path, photos):
    result = run("embed", tiny_path, photos / "0.png", code=1)
    assert "Traceback" not in result.stderr
    assert "image" in result.stderr


def test_pictures_of_kinds_that_are_not_read_are_named(bundle, photos, tmp_path):
    for name in ("a.DNG", "b.cr2", "more/c.cr2"):
        (photos / name).write_bytes(b"II*\0 raw")
    result = run("index", photos, "--model", bundle, "-i", tmp_path / "i")
    assert "6 images encoded" in result.stderr
    assert f"3  no reader installed  {photos}/a.DNG" in result.stderr
    assert "a raw photo of a camera: save it as JPEG" in result.stderr
    assert "1 .dng not read" in run("dedupe", photos, "--model", bundle).stderr
    left_out = run_json("index", photos, "-i", tmp_path / "i")["left_out"]
    assert [each["reason"] for each in left_out].count("no reader installed") == 3


def test_a_folder_without_images_says_so(bundle, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("no image")
    result = run("index", tmp_path / "notes", "--model", bundle, "-i", tmp_path / "i")
    assert "no images among 1 files: expected names in .avif, .bmp" in result.stderr


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        ("heic", "HEIF"), ("avif", "AVIF"), ("jp2", "JPEG2000"), ("JFIF", "JPEG"), ("jpe", "JPEG"),
    ],
)  # fmt: skip
def test_newer_and_odd_endings_are_images(bundle, tmp_path, suffix, kind):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()  # to write it
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / f"a.{suffix}").write_bytes(tiny_images.as_bytes(photo(), kind))
    assert (
        run_json("index", tmp_path / "p", "--model", bundle, "-i", tmp_path / "i")["encoded"] == 1
    )


def test_images_are_filtered_by_when_and_where_they_were_taken(bundle, photos, tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS R5"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:30:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (38.0, 43.0, 12.0), 3: "W", 4: (9.0, 8.0, 24.0)})
    photo(seed=50).save(photos / "lisbon.jpg", exif=exif)
    index = tmp_path / "i"
    run("index", photos, "--model", bundle, "-i", index)
    search = ("search", "--image", photos / "1.png", "-i", index, "--where")
    for where in ("date>=2024-01-01", "date<2025-01-01", "camera=Canon EOS R5", "lat>38.7"):
        (hit,) = run_json(*search, where)["hits"]
        assert hit["key"] == (photos / "lisbon.jpg").as_posix()
    assert hit["metadata"] == {
        "source": hit["key"],
        "date": "2024-05-01T12:30:00",
        "camera": "Canon EOS R5",
        "lat": 38.72,
        "lon": -9.14,
    }
    assert run_json(*search, "date<2024-01-01")["hits"] == []


def test_drawings_on_transparent_ground_are_compared_as_they_look(bundle, tmp_path):
    """Black and white ones, whose hidden pixels are all the same."""
    folder = tmp_path / "drawings"
    folder.mkdir()
    for color in (0, 255):
        for corner in range(4):
            pixels = np.full((64, 64, 4), (color, color, color, 0), np.uint8)
            half = slice(32, None) if corner % 2 else slice(32)
            pixels[slice(32, None) if corner > 1 else slice(32), half, 3] = 255
            Image.fromarray(pixels).save(folder / f"{color} {corner}.png")
    Image.open(folder / "0 1.png").resize((128, 128)).save(folder / "0 1 larger.png")
    (group,) = run_json("dedupe", folder, "--model", bundle, "--threshold", 0.98)["groups"]
    assert [Path(member["path"]).name for member in group] == ["0 1 larger.png", "0 1.png"]


def test_many_alike_images_are_grouped_in_little_time():
    rng = np.random.default_rng(0)
    alike = rng.normal(size=64) + 0.05 * rng.normal(size=(4000, 64))
    began = time.process_time()
    (group,) = near_duplicates(alike.astype(np.float32), 0.95)
    assert len(group.members) == 4000 and time.process_time() - began < 3


def test_near_duplicates_must_be_close_on_both_grounds():
    white = np.array([[1, 0], [1, 0], [1, 0.01]], np.float32)
    black = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    assert [group.members for group in near_duplicates(white, 0.9)] == [(0, 1, 2)]
    assert [group.members for group in near_duplicates(white, 0.9, black)] == [(0, 2)]
