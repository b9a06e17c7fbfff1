"""Images, texts and tables that a user was given."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

from faults.hostile.images import hostile_image
from fuzz.engine.target import Run, Target
from helpers.tiny_images import PREPROCESS

_MAX_PIXELS = 50_000_000
_SMALL = 20_000
_RECORDS = (
    b'{"text": "a b", "id": 1, "tags": ["x"]}\n\n{"text": "\\ud83d\\ude42", "n": {"a": 1.5}}\r\n'
)
_TABLES = (
    b'text,label\na b,x\n"c, d",y\n',
    b"sentence1\tsentence2\tscore\na\tb\t0.5\n",
    b'{"query": "a", "positive": "b"}\n',
    b'{"queries": {"1": "a"}, "corpus": {"2": "b"}, "relevant_docs": {"1": ["2"]}}',
)
_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".txt")
_WORDS = (
    b"2 3\nthe 0.1 0.2 0.3\ncat 1 2 3\n",
    b"the 0.1 0.2 0.3\ncat 1 2 3\n",
    b"2 3\nthe " + bytes(12) + b"\ncat " + bytes(12) + b"\n",
    b"\xba\x16\x4f\x2f\x0c\0\0\0" + bytes(200),
)


def _images(work: Path) -> Sequence[bytes]:
    del work
    made = (hostile_image(number)[1] for number in range(160))
    return [data for data in made if len(data) < _SMALL]


def _image(work: Path) -> Run:
    from edgeembed_runtime.inputs.image.decode import decode, plan_decoding
    from edgeembed_runtime.inputs.image.open import open_image
    from edgeembed_runtime.inputs.image.preprocess import pixel_values

    del work

    def run(data: bytes) -> None:
        with open_image(data) as opened:
            plan = plan_decoding(opened, _MAX_PIXELS, 36)
            pixel_values(decode(opened, plan, 36), PREPROCESS)

    return run


def _jsonl(work: Path) -> Run:
    from edgeembed.ingest.texts import read_records, text_of

    del work

    def run(data: bytes) -> None:
        for number, record in read_records(io.BytesIO(data), "a file"):
            text_of(record, "text", "a file", number)

    return run


def _texts(work: Path) -> Run:
    from edgeembed.ingest.readers.base.protocol import Block, ReadingSettings, SkippedError
    from edgeembed.ingest.readers.registry import read_file
    from edgeembed_runtime.inputs.text.sentences import sentence_starts
    from edgeembed_runtime.inputs.text.structure import structure_of

    path = work / "text.md"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(SkippedError):
            for found in read_file(path, ReadingSettings()):
                if isinstance(found, Block):
                    structure_of(found.text)
                    list(sentence_starts(found.text))

    return run


def _table(work: Path) -> Run:
    from edgeembed.evaluate.datasets.table import read_table

    def run(data: bytes) -> None:
        path = work / f"table{_SUFFIXES[data[0] % len(_SUFFIXES)] if data else '.csv'}"
        path.write_bytes(data[1:])
        read_table(path)

    return run


def _word_vectors(work: Path) -> Run:
    from edgeembed_converters.word_vectors.open_file import read_word_vectors

    path = work / "vectors"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        read_word_vectors(path, 100, "error")

    return run


INPUT_TARGETS = (
    Target(name="image", seeds=_images, opened=_image),
    Target(name="jsonl", seeds=lambda _: [_RECORDS, b"{}"], opened=_jsonl),
    Target(
        name="text",
        seeds=lambda _: [Path(__file__).read_bytes(), b"# a\n\n- b\n```\nc\n```\nd. E! f\n===\n"],
        opened=_texts,
    ),
    Target(
        name="table",
        seeds=lambda _: [bytes([n]) + t for n in range(len(_SUFFIXES)) for t in _TABLES],
        opened=_table,
    ),
    Target(name="word-vectors", seeds=lambda _: _WORDS, opened=_word_vectors),
)
