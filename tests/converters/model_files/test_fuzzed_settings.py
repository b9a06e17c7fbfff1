"""Changed settings: a bundle equals what sentence-transformers makes of them, or is refused.

`EDGEEMBED_FUZZED_SETTINGS=500` tries that many; a few are part of every run.
"""

import hashlib
import os
import random
import re
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from edgeembed import Encoder, convert
from edgeembed_converters.pipeline import text as text_pipeline
from edgeembed_runtime.bundle import Bundle, Golden
from edgeembed_runtime.encoder.self_test import rowwise_cosine
from edgeembed_runtime.errors import EdgeEmbedError
from helpers.model_zoo import TEXTS
from helpers.settings import ordinary_settings
from helpers.settings.changed_settings import change_settings

pytestmark = pytest.mark.slow
COUNT = int(os.environ.get("EDGEEMBED_FUZZED_SETTINGS", "8"))
KINDS = (
    "bert", "roberta", "distilbert", "mpnet", "xlm-roberta", "modernbert", "plain-bert", "qwen3",
    "deberta-v2", "qwen3-bidirectional", "t5",
)  # fmt: skip
# What no refusal may say.
_UNCLEAR = re.compile(
    r"Traceback|internal error|source kind|\bload\(\)|object at 0x|:$|"
    + re.escape(tempfile.gettempdir())
)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a bundle says of itself."""

    space: str
    texts: tuple[str, ...]
    vectors: np.ndarray
    settings: tuple[Any, ...]

    @classmethod
    def of(cls, path: Path) -> "Kept":
        """Read it from a bundle."""
        bundle = Bundle.open(path)
        manifest, golden = (
            bundle.manifest,
            Golden.from_json((path / bundle.manifest.golden).read_bytes()),
        )
        text = manifest.text
        assert text is not None
        settings = (
            text.max_tokens, text.truncation_side, dict(text.prompts), text.default_prompt_name,
        )  # fmt: skip
        return cls(
            space=manifest.space, texts=golden.texts, vectors=golden.vectors, settings=settings
        )

    def is_equal(self, other: "Kept") -> bool:
        """Whether the same texts have the same vectors, with prompts and without."""
        return (
            self.settings == other.settings
            and self.texts == other.texts
            and self.vectors.shape == other.vectors.shape
            and bool(_alike(self.vectors, other.vectors).all())
        )


@pytest.fixture(scope="module")
def sources(tiny, tmp_path_factory):
    """`sources(kind)` is a directory, to copy."""

    def make(kind):
        if kind == "plain-bert":
            return tiny.transformers("bert")
        if kind == "qwen3":
            path = tmp_path_factory.mktemp("fuzzed") / kind
            return path if path.exists() else _qwen(tiny, path)
        return tiny.sentence(
            f"fuzzed-{kind}", kind=kind, head=[{"out_features": 16}], normalize=True,
            prompts={"query": "search: "},
        )  # fmt: skip

    made: dict[str, Path] = {}
    return lambda kind: made.get(kind) or made.setdefault(kind, make(kind))


def _qwen(tiny, path):
    from transformers import AutoModel, AutoTokenizer, Qwen3Config

    tokenizer = AutoTokenizer.from_pretrained(tiny.transformers("bert"))
    settings = ordinary_settings.MODELS["Qwen3-Embedding-0.6B"]
    left_out = ("torch_dtype", "architectures", "model_type", "transformers_version", "vocab_size")
    config = Qwen3Config(
        **{key: value for key, value in settings.items() if key not in left_out},
        vocab_size=len(tokenizer),
    )
    torch.manual_seed(3)
    AutoModel.from_config(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def unchanged(sources, converted, each_module_once):
    """`unchanged(kind)` is what the bundle of the model without changes says."""
    kept: dict[str, Kept] = {}

    def of(kind):
        if kind not in kept:
            kept[kind] = Kept.of(converted(sources(kind)).path)
        return kept[kind]

    return of


@pytest.fixture(scope="module", autouse=True)
def each_module_once():
    """Export modules that do the same once: nine tenths of a conversion are torch's exporter.

    One taken for another would be found by the proofs of `convert`, as every other wrong graph.
    """
    export, found = text_pipeline.export_module, {}

    def export_once(module, examples, *arguments, **options):
        key = _behavior(module, examples)
        if key not in found:
            found[key] = export(module, examples, *arguments, **options)
        copy = onnx.ModelProto()
        copy.CopyFrom(found[key])
        return copy

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_pipeline, "export_module", export_once)
        yield


def _behavior(module, examples):
    """A hash of a module's structure, weights, and outputs."""
    digest = hashlib.sha256(repr(module).encode())
    with torch.no_grad():
        tensors = [*module.state_dict().values(), *module(*examples), *examples]
    for tensor in tensors:
        digest.update(f"{tensor.shape}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


class Original:
    """sentence-transformers' own vectors, one text at a time; None where it fails on a text."""

    def __init__(self, path: Path) -> None:
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(
            str(path), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
        )

    def encode(self, text, method):
        """The vector of one text."""
        try:
            return getattr(self._model, method)([text], show_progress_bar=False)[0]
        except (RuntimeError, IndexError, ValueError):
            return None


def _alike(a, b):
    """Which rows have the same direction and length."""
    lengths = [np.maximum(np.linalg.norm(rows, axis=1), 1e-30) for rows in (a, b)]
    return (rowwise_cosine(a, b) >= 0.99999) & (abs(lengths[0] / lengths[1] - 1) <= 1e-3)


def _differences(path, bundle):
    """What is not the same in a bundle and in the original."""
    original = Original(path)
    with Encoder.load(bundle) as encoder:
        asked = [("encode", text) for text in TEXTS] + [("encode_query", TEXTS[0])]
        for method, text in asked:
            expected = original.encode(text, method)
            if expected is None:
                continue
            found = getattr(encoder, method)([text])[0]
            if found.shape != expected.shape:
                yield f"{method} {text[:20]!r}: {found.shape} in place of {expected.shape}"
            elif not _alike(found[None], expected[None]).all():
                cosine = float(rowwise_cosine(found[None], expected[None])[0])
                yield f"{method} {text[:20]!r}: cosine {cosine:.6f}"


@pytest.mark.parametrize("number", range(COUNT))
def test_a_bundle_is_the_original_or_there_is_none(number, sources, unchanged, tmp_path, capfd):
    kind = KINDS[number % len(KINDS)]
    source = tmp_path / "model"
    shutil.copytree(sources(kind), source)
    changes = change_settings(source, random.Random(number))
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            report = convert(source, tmp_path / "bundle")
        except EdgeEmbedError as error:
            _log(number, changes, f"{type(error).__name__}: {error}")
            message = str(error).replace(str(source), "model")
            assert "\n" not in message and not _UNCLEAR.search(message), (changes, message)
            assert not (tmp_path / "bundle").exists()
            return
        printed = "".join(capfd.readouterr())
        differences = list(_differences(source, report.path))
    made, before = Kept.of(report.path), unchanged(kind)
    same_space = made.space == before.space
    if same_space != made.is_equal(before):
        differences.append(f"{'the same' if same_space else 'another'} space")
    outcome = "same" if same_space else "same, another space"
    _log(number, changes, f"DIFFERENT {differences}" if differences else outcome)
    assert not differences, changes
    assert not printed, changes


def _log(number, changes, outcome):
    """With EDGEEMBED_FUZZED_SETTINGS_LOG, what became of each."""
    if path := os.environ.get("EDGEEMBED_FUZZED_SETTINGS_LOG"):
        with Path(path).open("a") as file:
            file.write(f"{number}\t{KINDS[number % len(KINDS)]}\t{'; '.join(changes)}\t{outcome}\n")
