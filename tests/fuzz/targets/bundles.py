"""The files of a bundle."""

from collections.abc import Sequence
from pathlib import Path

from fuzz.engine.target import Run, Target
from helpers import tiny_bundle, tiny_images

_NAME = "a file"


def _files(work: Path, pattern: str) -> list[bytes]:
    tiny_bundle.write_tiny_bundle(work / "tiny.bundle")
    tiny_images.write_image_bundle(work / "image.bundle")
    return [path.read_bytes() for path in sorted(work.rglob(pattern))]


def _manifest(work: Path) -> Run:
    from edgeembed_runtime.bundle.manifest_json import manifest_from_json, manifest_to_json

    del work
    return lambda data: manifest_to_json(manifest_from_json(data))


def _graph(work: Path) -> Run:
    from edgeembed_runtime.bundle.graph import check_graph
    from edgeembed_runtime.bundle.graph.token_table import token_rows

    del work

    def run(data: bytes) -> None:
        token_rows(check_graph(data, _NAME))

    return run


def _golden(work: Path) -> Run:
    from edgeembed_runtime.bundle import Golden

    del work
    return Golden.from_json


def _tokenizer_seeds(work: Path) -> Sequence[bytes]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    pairs: list[tuple[str, float]] = [("<unk>", 0.0), ("a", -1.0), ("▁the", -2.0), ("b", -3.0)]
    unigram = Tokenizer(models.Unigram(pairs, unk_id=0))
    unigram.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" ", "▁")])
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    vocabulary = {"a": 0, "b": 1, "ab": 2, "<unk>": 3}
    bpe = Tokenizer(models.BPE(vocabulary, [("a", "b")], unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel()
    made = [tokenizer.to_str().encode() for tokenizer in (unigram, bpe)]
    return [*made, *_files(work, "tokenizer.json")]


def _tokenizer(work: Path) -> Run:
    from edgeembed_runtime.bundle import Bundle
    from edgeembed_runtime.inputs.text.word_tokenizer import load_tokenizer

    tower = Bundle.open(tiny_bundle.write_tiny_bundle(work / "tower.bundle")).manifest.text_tower()

    def run(data: bytes) -> None:
        tokenizer = load_tokenizer(data, tower, _NAME)
        for text in ("a the cat", "naïve 東京 " * 20):
            tokenizer.encode(text)
            tokenizer.spans(text)

    return run


BUNDLE_TARGETS = (
    Target(name="manifest", seeds=lambda work: _files(work, "edgeembed.json"), opened=_manifest),
    Target(name="graph", seeds=lambda work: _files(work, "*.onnx"), opened=_graph),
    Target(name="golden", seeds=lambda work: _files(work, "golden.json"), opened=_golden),
    Target(name="tokenizer", seeds=_tokenizer_seeds, opened=_tokenizer),
)
