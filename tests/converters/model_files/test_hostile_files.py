"""Files of a model that keep a reader waiting, have no end, or are many at once."""

import json
import os
import shutil

import pytest

from edgeembed_converters.conversion import convert
from edgeembed_converters.model_files.before_loading import check_before_loading
from edgeembed_converters.model_files.files import (
    card_files,
    license_of,
    read_file,
    read_json,
    weights_sha256,
)
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import (
    BundleUnsafeError,
    ConversionError,
    EdgeEmbedError,
    UnsupportedModelError,
)


@pytest.fixture
def plain(tiny, tmp_path):
    """A transformers directory to damage."""
    return shutil.copytree(tiny.transformers("bert"), tmp_path / "plain-model")


def refused(path, message):
    with pytest.raises(ConversionError, match=message):
        check_before_loading(path, trust_remote_code=False, pooling_given=False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize(
    "name", ["config.json", "modules.json", "tokenizer.json", "model.safetensors", "LICENSE", "x.y"]
)
def test_a_fifo_is_refused_and_not_waited_for(plain, name):
    (plain / name).unlink(missing_ok=True)
    os.mkfifo(plain / name)
    refused(plain, "special file")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "modules.json"])
def test_json_without_end_is_refused_unread(plain, name):
    with (plain / name).open("ab") as file:
        file.truncate(3 << 30)
    refused(plain, f"{name}: expected at most 64 MB")


def test_a_card_without_end_is_refused_uncopied(plain):
    for name in ("LICENSE", "README.md"):
        with (plain / name).open("wb") as file:
            file.truncate(3 << 30)
    with pytest.raises(ConversionError, match="LICENSE: expected at most 8 MB"):
        card_files(plain)
    with pytest.raises(ConversionError, match=r"README\.md: expected at most 8 MB"):
        license_of(plain)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("added_tokens.json", None),
        ("tokenizer_config.json", "added_tokens_decoder"),
        ("tokenizer.json", "added_tokens"),
    ],
)
def test_countless_added_tokens_are_refused(plain, name, key):
    path = plain / name
    tree = json.loads(path.read_bytes()) if path.exists() else {}
    tokens = {f"[X{number}]": number for number in range(30_001)}
    path.write_text(json.dumps(tokens if key is None else {**tree, key: tokens}), encoding="utf-8")
    refused(plain, f"{name}: expected at most 30000 added tokens, got 30001")


def test_a_tokenizer_without_a_bound_is_refused_unless_it_is_trusted(plain):
    path = plain / "tokenizer.json"
    tree = json.loads(path.read_bytes())
    tree["normalizer"] = {"type": "Replace", "pattern": {"Regex": "(a*)*b"}, "content": ""}
    path.write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(UnsupportedModelError, match="one whose time has a bound"):
        check_before_loading(plain, trust_remote_code=False, pooling_given=False)
    check_before_loading(plain, trust_remote_code=True, pooling_given=False)


@pytest.mark.slow
def test_what_is_beyond_the_bounds_is_proven_isolated_and_the_card_says_so(plain, tmp_path):
    path = plain / "tokenizer.json"
    tree = json.loads(path.read_bytes())
    # Legitimate, and its time is a square of the text's length.
    replace = {"type": "Replace", "pattern": {"Regex": " +x"}, "content": "x"}
    tree["normalizer"] = {"type": "Sequence", "normalizers": [tree["normalizer"], replace]}
    path.write_text(json.dumps(tree), encoding="utf-8")
    convert(plain, tmp_path / "bundle", trust_remote_code=True)
    card = (tmp_path / "bundle" / "README.md").read_text(encoding="utf-8")
    assert 'load this bundle with `verify="isolated"`: ' in card
    with pytest.raises(BundleUnsafeError):
        Encoder.load(tmp_path / "bundle")
    with Encoder.load(tmp_path / "bundle", verify="isolated") as encoder:
        assert encoder.self_test().ok


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize("read", [read_json, read_file, weights_sha256])
def test_no_reader_waits_for_a_fifo(read, tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    path = tmp_path if read is weights_sha256 else tmp_path / "model.safetensors"
    with pytest.raises(ConversionError, match=r"expected a plain file|found none"):
        read(path)


def test_what_may_not_be_read_is_refused_by_name(plain):
    path = plain / "config.json"
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    refused(plain, r"config\.json: could not be read: Permission denied")


@pytest.mark.parametrize(
    "config",
    [
        {"architecture": "hf-hub:somebody/else"},
        {"architecture": "local-dir:/elsewhere"},
        {"architecture": "resnet18", "model_args": {"checkpoint_path": "/elsewhere/x.pth"}},
    ],
)
def test_a_timm_directory_cannot_name_a_model_elsewhere(config, plain, tmp_path):
    (plain / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UnsupportedModelError, match="names a model that is elsewhere"):
        convert(plain, tmp_path / "bundle")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_timm_directory_is_checked_before_it_is_read(plain, tmp_path):
    (plain / "config.json").write_text(json.dumps({"architecture": "x"}), encoding="utf-8")
    os.mkfifo(plain / "pytorch_model.bin")
    with pytest.raises(ConversionError, match="special file"):
        convert(plain, tmp_path / "bundle")


def test_a_link_out_of_the_model_is_not_read_to_tell_what_kind_it_is(plain, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "x"}), encoding="utf-8")
    for name in ("config.json", "processor_config.json"):
        (plain / name).unlink(missing_ok=True)
        (plain / name).symlink_to(tmp_path / "config.json")
    with pytest.raises(ConversionError, match="a link that leads out of the model's directory"):
        convert(plain, tmp_path / "bundle")


def test_a_panic_of_the_tokenizers_library_is_a_typed_error(plain, tmp_path):
    path = plain / "tokenizer.json"
    tree = json.loads(path.read_bytes())
    tree["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "/////w==AAAA"}
    path.write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(ConversionError, match="could not load"):
        convert(plain, tmp_path / "bundle")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.json", lambda path: os.truncate(path, 3 << 30)),
        ("LICENSE", lambda path: (path.touch(), os.truncate(path, 3 << 30))),
        ("config.json", lambda path: (path.unlink(), os.mkfifo(path))),
        (
            "added_tokens.json",
            lambda path: path.write_text(json.dumps({f"[{n}]": n for n in range(300_000)})),
        ),
    ],
    ids=["a vast config.json", "a vast LICENSE", "a FIFO", "countless tokens"],
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_what_once_took_minutes_is_refused_by_convert(name, change, plain, tmp_path):
    change(plain / name)
    with pytest.raises(EdgeEmbedError, match=r"at most|found neither"):
        convert(plain, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
