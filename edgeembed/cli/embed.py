"""`edgeembed embed`: texts in, vectors out."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import typer
from numpy.typing import NDArray

from edgeembed import Encoder
from edgeembed.cli.output import bar_progress, err, json_text, print_json
from edgeembed.cli.targets import MODEL_VARIABLE, VariantName, load_model
from edgeembed.ingest.texts import TextFormat, format_of, read_texts, texts_in
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import staged_file

_SUFFIXES = (".npy", ".jsonl")


def embed(
    model: Annotated[
        Path | None,
        typer.Argument(help="The bundle to encode with; by default the one in the package."),
    ] = None,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of texts; standard input without any.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .npy or .jsonl file; JSON lines on stdout without."),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Standard input holds JSON records, not lines.")
    ] = False,
    field: Annotated[str, typer.Option(help="Where a JSON record has its text.")] = "text",
    query: Annotated[
        bool, typer.Option("--query", help="Use the model's query prompt, not the document one.")
    ] = False,
    variant: VariantName = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="With -o: print a summary as JSON.")
    ] = False,
) -> None:
    """Encode texts: one a line, or one a record of a .jsonl file, in order.

    Examples:
    echo "one text" | edgeembed embed

    edgeembed embed notes.txt -o vectors.npy

    edgeembed embed minilm.bundle notes.txt records.jsonl -o vectors.npy
    """
    if output is not None and output.suffix not in _SUFFIXES:
        raise InputError(f"output {output}: expected a name in .npy or .jsonl")
    stdin_format: TextFormat = "jsonl" if jsonl else "lines"
    if model is not None and model.is_file():  # a bundle is a directory
        model, files = None, [model, *(files or [])]
    with load_model(model, os.environ.get(MODEL_VARIABLE), variant) as encoder:
        texts = list(_read(files or [], stdin_format, field))
        name = _prompt_name(encoder, query)
        vectors = encoder.encode_iter(texts, prompt_name=name, prompt=None if name else "")
        _write(_shown(vectors, len(texts)), output, texts, encoder.dim)
        if output is not None:
            summary = {"output": output, "texts": len(texts), "dim": encoder.dim}
            if as_json:
                print_json({**summary, "variant": encoder.variant, "space": encoder.space})
            else:
                err.print(f"{output}: {len(texts)} vectors of {encoder.dim}", highlight=False)


def _prompt_name(encoder: Encoder, query: bool) -> str | None:
    return encoder.usual_prompt("query" if query else "document")


def _read(files: list[Path], stdin_format: TextFormat, field: str) -> Iterator[str]:
    if not files:
        yield from texts_in(sys.stdin.buffer, "standard input", stdin_format, field)
    for path in files:
        yield from read_texts(path, format_of(path), field)


def _shown(vectors: Iterable[NDArray[np.float32]], total: int) -> Iterator[NDArray[np.float32]]:
    with bar_progress() as progress:
        yield from progress.track(vectors, total=total, description="Encoding")


def _write(
    vectors: Iterator[NDArray[np.float32]], output: Path | None, texts: list[str], dim: int
) -> None:
    if output is None:
        for line in _lines(texts, vectors, json_text):
            sys.stdout.write(line)
        sys.stdout.flush()
        return
    with staged_file(output) as file:
        if output.suffix == ".npy":
            _write_npy(file, vectors, len(texts), dim)
        else:
            as_json = partial(json.dumps, ensure_ascii=False)
            file.writelines(line.encode() for line in _lines(texts, vectors, as_json))


def _write_npy(
    file: BinaryIO, vectors: Iterator[NDArray[np.float32]], count: int, dim: int
) -> None:
    header: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
    np.lib.format.write_array_header_1_0(file, header)
    for vector in vectors:
        file.write(vector.astype("<f4").tobytes())


def _lines(
    texts: list[str], vectors: Iterator[NDArray[np.float32]], as_json: Callable[[Any], str]
) -> Iterator[str]:
    for text, vector in zip(texts, vectors, strict=True):
        record = {"text": text, "embedding": [float(f"{value:.8g}") for value in vector]}
        yield as_json(record) + "\n"
