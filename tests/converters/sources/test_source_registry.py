"""Sources by registration: a new kind is read like a built-in one; a broken one is named."""

import json
from typing import Any, cast

import numpy as np
import pytest
import torch

from edgeembed import convert
from edgeembed_converters.model_files.files import ModelDirectory
from edgeembed_converters.sources import registry
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.registry import register_source_kind
from edgeembed_converters.sources.text.live_text import load_module
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError, InputError


@pytest.fixture(autouse=True)
def no_kinds_but_the_built_in(monkeypatch):
    monkeypatch.setattr(registry, "_registered", [])


class Bag(torch.nn.Module):
    """A table of token vectors."""

    def __init__(self, vocabulary, width):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(vocabulary, width)

    def forward(self, input_ids, attention_mask):
        return torch.tanh(self.embedding(input_ids))


class BagFiles:
    """A directory with bag.json and tokenizer.json."""

    name = "bag of words"

    def matches(self, source, options):
        return isinstance(source, ModelDirectory) and (source.path / "bag.json").is_file()

    def load(self, source, options, scratch):
        width = json.loads((source.path / "bag.json").read_text())["width"]
        (scratch / "note").write_text("scratch can be written")
        given = SourceOptions(
            name=options.name or source.name,
            max_tokens=12,
            tokenizer=source.path / "tokenizer.json",
        )
        return load_module(Bag(400, width), given)


class Broken:
    """A kind that does one thing wrong."""

    name = "broken"

    def __init__(self, matches: Any = True, loaded: Any = None) -> None:
        self.matched, self.loaded = matches, loaded

    def matches(self, source: Any, options: Any) -> Any:
        return self._answer(self.matched)

    def load(self, source: Any, options: Any, scratch: Any) -> Any:
        return self._answer(self.loaded)

    def _answer(self, answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def bag_directory(tmp_path, toy_tokenizer):
    path = tmp_path / "my-bag"
    path.mkdir()
    (path / "bag.json").write_text('{"width": 16}')
    toy_tokenizer.save(str(path / "tokenizer.json"))
    return path


def test_a_registered_kind_is_converted_like_any_other(bag_directory, tmp_path):
    register_source_kind(BagFiles())
    report = convert(bag_directory, tmp_path / "bundle")
    assert (report.name, report.dim, report.max_tokens) == ("my-bag", 16, 12)
    with Encoder.load(report.path, verify="golden") as encoder:
        assert np.isfinite(encoder.encode("the cat sat")).all()


def test_it_is_asked_before_the_built_in_kinds_and_leaves_the_rest_to_them(
    bag_directory, tmp_path, toy, toy_tokenizer
):
    with pytest.raises(Exception, match=r"expected modules\.json"):
        convert(bag_directory, tmp_path / "bundle")  # a text directory, to the built-in kinds
    register_source_kind(BagFiles())
    report = convert(toy, tmp_path / "toy", tokenizer=toy_tokenizer, max_tokens=20)
    assert report.name == type(toy).__name__


def test_an_unmatched_source_lists_the_kinds_that_are_known(tmp_path):
    register_source_kind(BagFiles())
    with pytest.raises(InputError) as caught:
        convert("no:such:source", tmp_path / "bundle")
    message = str(caught.value)
    assert "expected a model directory or a Hub id, found nothing" in message
    for name in ("bag of words", "module pair", "timm model", "text directory", "Hub id"):
        assert name in message


def test_a_source_of_a_foreign_type_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"source: expected a model directory .*, found int"):
        convert(cast(Any, 5), tmp_path / "bundle")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Broken(matches=KeyError("x\ny")), r"source kind 'broken': matches\(\) failed: KeyError"),
        (Broken(matches="yes"), r"'broken': expected bool from matches\(\), got str"),
        (Broken(matches=None), r"'broken': expected bool from matches\(\), got NoneType"),
        (Broken(loaded=ValueError("no")), r"'broken': load\(\) failed: ValueError: no"),
        (Broken(loaded=7), "'broken': expected TextSource or ImageSource or DualSource from"),
        (Broken(loaded=None), r"from load\(\), got NoneType"),
    ],
)
def test_a_kind_that_lies_is_named_in_one_line(kind, message, bag_directory, tmp_path):
    register_source_kind(kind)
    with pytest.raises(ConversionError, match=message) as caught:
        convert(bag_directory, tmp_path / "bundle")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bundle").exists()


def test_its_own_errors_pass_as_they_are(bag_directory, tmp_path):
    register_source_kind(Broken(loaded=InputError("width: expected a number")))
    with pytest.raises(InputError, match=r"^width: expected a number$"):
        convert(bag_directory, tmp_path / "bundle")


def renamed(name):
    kind = Broken()
    kind.name = name
    return kind


class WithoutLoad:
    """Half a kind."""

    name = "half"

    def matches(self, source, options):
        return True


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (renamed(None), "source kind: expected a name, got None"),
        (renamed("  "), "source kind: expected a name, got '  '"),
        (renamed("timm model"), "source kind 'timm model': expected a name that is not taken"),
        (WithoutLoad(), r"source kind 'half': expected a method load\(\), found none"),
        (object(), "source kind: expected a name, got None"),
    ],
)
def test_what_is_no_kind_is_refused_at_once(kind, message):
    with pytest.raises(InputError, match=message):
        register_source_kind(kind)


def test_a_name_is_registered_once():
    register_source_kind(BagFiles())
    with pytest.raises(InputError, match="source kind 'bag of words': expected a name that is not"):
        register_source_kind(BagFiles())
