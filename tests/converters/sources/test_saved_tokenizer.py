"""The tokenizer of a directory is read from its files as they are now, and nothing is left."""

import base64
import json
import tempfile

import pytest

from edgeembed_converters.sources.text.saved_tokenizer import load_tokenizer


def write_tiktoken(directory, words):
    """A vocabulary of bytes and some words, in tiktoken's format."""
    tokens = [*(bytes([byte]) for byte in range(256)), *(word.encode() for word in words)]
    lines = (f"{base64.b64encode(token).decode()} {i}\n" for i, token in enumerate(tokens))
    (directory / "tokenizer.model").write_text("".join(lines))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    (directory / "config.json").write_text('{"model_type": "bert"}')


def test_another_vocabulary_at_the_same_place_is_read_anew(tmp_path, monkeypatch):
    pytest.importorskip("tiktoken")
    directory, scratch = tmp_path / "model", tmp_path / "scratch"
    directory.mkdir()
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    write_tiktoken(directory, ["ab"])
    assert load_tokenizer(directory, False)("abcd")["input_ids"] == [256, ord("c"), ord("d")]
    write_tiktoken(directory, ["cd"])
    assert load_tokenizer(directory, False)("abcd")["input_ids"] == [ord("a"), ord("b"), 256]
    assert not any(scratch.iterdir())
