"""Files of a model that keep a reader waiting, have no end, or are many at once."""

import json
import os
import shutil

import pytest

from edgeembed_converters.model_files.before_loading import check_before_loading
from edgeembed_converters.model_files.files import card_files, license_of
from edgeembed_runtime.errors import ConversionError


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
    refused(plain, "special file|expected JSON")


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
