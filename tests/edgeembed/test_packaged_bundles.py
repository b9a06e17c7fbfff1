"""The bundles inside the package: what they are, what they are worth, how they are named."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from edgeembed import BundleNotFoundError, Encoder, Index
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.bundle.packaged import PACKAGED, bundle_directory, packaged_name

MAX_BYTES = {"default": 25_000_000, "static": 8_000_000}
MODELS = {"default": "all-MiniLM-L6-v2", "static": "edgeembed-static"}


@pytest.fixture(scope="module", params=PACKAGED)
def encoder(request):
    with Encoder.load(request.param, verify="golden") as made:
        yield made


@pytest.fixture(scope="module")
def static():
    with Encoder.load("static") as made:
        yield made


# -- what they are --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKAGED)
def test_they_are_small_and_say_where_they_come_from(name):
    files = {file.name: file for file in PACKAGED[name].path.iterdir()}
    assert sum(file.stat().st_size for file in files.values()) <= MAX_BYTES[name]
    assert {"LICENSE", "NOTICE", "README.md"} <= set(files)
    card = files["README.md"].read_text(encoding="utf-8")
    assert card.startswith(f"# {MODELS[name]}\n")
    assert "license: Apache-2.0" in card
    assert "source: `sentence-transformers/all-MiniLM-L6-v2`" in card
    assert Bundle.open(name).problems() == []


def test_they_are_right_on_this_machine(encoder):
    assert encoder.self_test().ok
    assert encoder.normalized
    assert encoder.deterministic


@pytest.mark.parametrize("name", PACKAGED)
def test_each_has_a_variant_for_every_processor(name):
    assert any(not v.requires for v in Bundle.open(name).manifest.text_tower().variants)


def test_the_default_loads_and_is_right_on_a_processor_without_int8_instructions(monkeypatch):
    monkeypatch.setattr("edgeembed_runtime.engine.variants.cpu_features", frozenset)
    with Encoder.load(verify="golden") as encoder:
        assert encoder.self_test().ok


def test_the_default_is_the_transformer_with_the_models_own_limit():
    manifest = Bundle.open("default").manifest
    assert (manifest.dim, manifest.text_tower().max_tokens) == (384, 256)
    assert not manifest.text_tower().static
    weights = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert manifest.source.weights_sha256 == weights
    assert Bundle.open("static").manifest.text_tower().static


def test_batches_keep_the_bits_of_their_texts(encoder):
    texts = [f"text {n} of " + "words " * (n % 40) for n in range(100)]
    found = encoder.encode(texts)
    assert found.tobytes() == np.stack([encoder.encode(text) for text in texts]).tobytes()


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("A man plays a guitar.", "Someone is making music.", "The stock market fell."),
        ("How do I reset my password?", "I forgot my login details.", "A recipe for soup."),
        ("the dog ran in the park", "a puppy runs outside", "the parliament passed a law"),
        ("a small red car", "a little red automobile", "the theory of relativity"),
    ],
)
def test_what_means_the_same_is_nearer(encoder, text, near, far):
    scores = encoder.similarity(encoder.encode([text]), encoder.encode([near, far]))[0]
    assert scores[0] > scores[1] + 0.1


# -- their names ----------------------------------------------------------------------------------


def test_without_a_name_the_default_is_loaded():
    with Encoder.load() as unnamed, Encoder.load("default") as named:
        assert unnamed.path == named.path == PACKAGED["default"].path


def test_only_a_string_without_a_separator_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bundle_directory("static") == PACKAGED["static"].path
    assert bundle_directory("./static") == bundle_directory(Path("static")) == Path("static")
    assert bundle_directory(None) == PACKAGED["default"].path
    assert packaged_name(PACKAGED["static"].path) == "static"
    assert packaged_name(Path("static")) is None


def test_a_folder_called_like_a_packaged_bundle_needs_a_path(own_bundle, monkeypatch):
    own_bundle.rename(own_bundle.with_name("static"))
    monkeypatch.chdir(own_bundle.parent)
    with Encoder.load("static") as packaged, Encoder.load("./static") as own:
        assert (packaged.dim, own.dim) == (256, 16)


def test_a_folder_called_like_a_packaged_bundle_that_is_not_there_is_not_confused(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleNotFoundError, match=r"bundle \./static: .*check the path; inside"):
        Encoder.load("./static")


@pytest.mark.parametrize(
    "name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", "all-minilm-l6-v2"]
)
def test_the_models_own_name_leads_to_the_default(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleNotFoundError) as found:
        Encoder.load(name)
    assert "this model comes with edgeembed as Encoder.load();" in str(found.value)
    assert 'inside the package: Encoder.load() and Encoder.load("static")' in str(found.value)


@pytest.mark.parametrize("name", ["BAAI/bge-small-en-v1.5", "all-mpnet-base-v2"])
def test_the_name_of_another_model_leads_to_a_conversion(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleNotFoundError) as found:
        Encoder.load(name)
    assert f'`edgeembed convert {name} OUT` and use Encoder.load("OUT")' in str(found.value)
    assert 'inside the package: Encoder.load() and Encoder.load("static")' in str(found.value)


@pytest.mark.parametrize("path", ["mine.bundle", "no/such/folder", "../up", "here/gone", "~"])
def test_a_wrong_path_is_not_taken_for_a_model(path, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleNotFoundError) as found:
        Encoder.load(path)
    assert str(found.value) == f"bundle {path}: expected a directory, got nothing; check the path"


# -- on the command line --------------------------------------------------------------------------


def test_inspect_lists_them(run, run_json):
    shown = run("inspect").stdout
    for expected in ("default", "all-MiniLM-L6-v2", "384", "static", "256", "Apache-2.0", "speed"):
        assert expected in shown
    default, static = run_json("inspect")["bundles"]
    assert (default["name"], default["dim"], default["max_tokens"]) == ("default", 384, 256)
    assert (static["name"], static["dim"], static["license"]) == ("static", 256, "Apache-2.0")
    assert default["bytes"] > static["bytes"] > 7_000_000


def test_commands_take_their_names(run_json, run, notes):
    assert run_json("inspect", "static")["name"] == "edgeembed-static"
    assert run_json("verify", "static")["ok"] is True
    assert run("embed", "static", stdin="a text\n").stdout.count(",") == 256
    assert run("index", notes, "--model", "static").exit_code == 0
    assert run_json("inspect", "edgeembed.index")["dim"] == 256


def test_a_folder_called_like_a_packaged_bundle_is_given_as_a_path(run_json, own_bundle):
    own_bundle.rename("static")
    assert run_json("inspect", "./static")["dim"] == 16
    assert run_json("inspect", "static")["dim"] == 256


def test_a_models_name_is_answered_in_the_words_of_the_command_line(fails, notes):
    line = fails("index", notes, "--model", "all-MiniLM-L6-v2")
    assert "comes with edgeembed as default; inside the package: default and static" in line
    line = fails("index", notes, "--model", "BAAI/bge-small-en-v1.5")
    assert "by `edgeembed convert BAAI/bge-small-en-v1.5 OUT` and use OUT; inside" in line


def test_embed_needs_no_model(run, tmp_path):
    result = run("embed", stdin="a small text\n")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["embedding"]
    with Encoder.load() as encoder:
        np.testing.assert_allclose(found, encoder.encode("a small text"), atol=1e-6)
    (tmp_path / "notes.txt").write_text("one\ntwo\n", encoding="utf-8")
    result = run("embed", "notes.txt", "-o", "vectors.npy")
    assert result.exit_code == 0, result.stderr
    assert np.load("vectors.npy").shape == (2, 384)


@pytest.mark.parametrize(("name", "dim"), [("path", 16), ("static", 256)])
def test_embed_takes_the_model_of_the_environment(run, tiny_path, monkeypatch, name, dim):
    monkeypatch.setenv("EDGEEMBED_MODEL", str(tiny_path) if name == "path" else name)
    assert len(json.loads(run("embed", stdin="a text\n").stdout)["embedding"]) == dim


# -- what an index remembers ----------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKAGED)
def test_an_index_remembers_a_packaged_bundle_by_its_name(run, run_json, notes, name):
    assert run("index", notes, "--model", name).exit_code == 0
    with Index.open("edgeembed.index") as index:
        assert index.info["bundle"] == name
    hits = run_json("search", "a train that departs")["hits"]
    assert "trains.txt" in hits[0]["metadata"]["source"]


@pytest.mark.parametrize("info", [{"bundle": ""}, {}], ids=["cli", "python"])
def test_an_index_of_the_earlier_default_is_searched_and_updated(
    run, run_json, notes, static, info
):
    with Index.create("edgeembed.index", encoder=static, info=info) as index:
        index.upsert(["a"], documents=["The train leaves the station at noon."])
    assert run_json("search", "a train that departs")["hits"][0]["key"] == "a"
    assert run("index", notes).exit_code == 0
    with Index.open("edgeembed.index", encoder=static) as index:
        assert len(index) > 3


def test_an_index_of_another_space_is_not_searched_with_a_packaged_bundle(fails, own_bundle):
    with (
        Encoder.load(own_bundle) as encoder,
        Index.create("edgeembed.index", encoder=encoder, info={"bundle": "default"}) as index,
    ):
        index.upsert(["a"], documents=["a text"])
    assert "create a new index" in fails("search", "a text")


@pytest.mark.slow
def test_the_demo_answers_without_torch(command, tmp_path):
    code = (
        "import sys; sys.modules.update(torch=None, transformers=None, onnx=None);"
        "from edgeembed.cli import main; sys.argv = ['edgeembed', 'demo', '--json']; main()"
    )
    result = command(code=code, EDGEEMBED_CACHE=str(tmp_path / "cache"), PATH=os.environ["PATH"])
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)["answers"]
    first = {hit["key"] for hit in answers[0]["hits"]}
    assert any(key.startswith("webbrowser") for key in first)
