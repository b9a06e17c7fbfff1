"""`edgeembed embed`: texts or images in, vectors out."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import typer
from numpy.typing import NDArray

from edgeembed.cli.shared.opening import load_model
from edgeembed.cli.shared.options import (
    MODEL_VARIABLE,
    Overwrite,
    TextField,
    VariantName,
    path_or_name,
)
from edgeembed.cli.shared.output import bar_progress, print_json, print_json_line, remark
from edgeembed.export.outputs import RECORD_MARK, check_free
from edgeembed.ingest.images.kinds import is_image
from edgeembed.ingest.texts import TextFormat, read_texts, texts_in
from edgeembed_runtime.bundle import Modality
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import staged_file, storage_errors

_OUTPUTS = (".npy", ".jsonl")
# A text or the path of an image, and its vector.
_Record = tuple[str, NDArray[np.float32]]


def embed(
    model: Annotated[
        Path | None,
        typer.Argument(
            parser=path_or_name,
            help="The bundle to encode with: a path, or default or static, which are in the "
            "package.",
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Text or image files; default: texts from standard input."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write a .npy or .jsonl file; default: JSON lines on stdout."
        ),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Standard input is JSON lines, not plain lines.")
    ] = False,
    field: TextField = "text",
    query: Annotated[
        bool, typer.Option("--query", help="Use the query prompt, not the document prompt.")
    ] = False,
    overwrite: Overwrite = False,
    variant: VariantName = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="With -o: print a summary as JSON.")
    ] = False,
) -> None:
    """Encode texts or images; a text is a line, or a record of a .jsonl file.

    Examples:
    echo "one text" | edgeembed embed

    edgeembed embed notes.txt -o vectors.npy

    edgeembed embed minilm.bundle notes.txt records.jsonl -o vectors.npy

    edgeembed embed clip.bundle beach.jpg dog.png
    """
    if output is not None and output.suffix not in _OUTPUTS:
        raise InputError(f"output {output}: expected a name in .npy or .jsonl")
    check_free([output], overwrite=overwrite)
    stdin_format: TextFormat = "jsonl" if jsonl else "lines"
    # A bundle is a directory; a pipe of the shell's, <(command), is a file like others.
    if model is not None and model.exists() and not model.is_dir():
        model, files = None, [model, *(files or [])]
    modality = _modality(files or [])
    with load_model(model, os.environ.get(MODEL_VARIABLE), variant, modality) as encoder:
        if modality == "image":
            names = [str(path) for path in files or []]
            vectors = _usable(encoder.encode_image_iter(files or []))
        else:
            names = list(_read(files or [], stdin_format, field))
            prompt_name = encoder.usual_prompt("query" if query else "document")
            prompt = None if prompt_name else ""
            vectors = encoder.encode_iter(names, prompt_name=prompt_name, prompt=prompt)
        records = zip(names, _shown(vectors, len(names)), strict=True)
        _write(records, output, modality, (len(names), encoder.dim))
        if output is not None:
            summary = {"output": output, f"{modality}s": len(names), "dim": encoder.dim}
            if as_json:
                print_json({**summary, "variant": encoder.variant, "space": encoder.space})
            else:
                remark(f"{output}: {len(names)} vectors of {encoder.dim}")


def _modality(files: list[Path]) -> Modality:
    """What the files hold, by their suffixes."""
    images = [path for path in files if is_image(path)]
    if images and len(images) < len(files):
        text = next(path for path in files if path not in images)
        raise InputError(
            f"files: expected texts or images, got both, {text} and {images[0]}; encode them "
            f"in two runs"
        )
    return "image" if images else "text"


def _usable(
    outcomes: Iterable[NDArray[np.float32] | InputError],
) -> Iterator[NDArray[np.float32]]:
    for outcome in outcomes:
        if isinstance(outcome, InputError):
            raise outcome
        yield outcome


def _read(files: list[Path], stdin_format: TextFormat, field: str) -> Iterator[str]:
    if not files:
        with storage_errors("read", Path("standard input")):
            yield from texts_in(sys.stdin.buffer, "standard input", stdin_format, field)
    for path in files:
        yield from read_texts(path, field)


def _shown(vectors: Iterable[NDArray[np.float32]], total: int) -> Iterator[NDArray[np.float32]]:
    with bar_progress() as progress:
        yield from progress.track(vectors, total=total, description="Encoding")


def _write(
    records: Iterator[_Record], output: Path | None, modality: Modality, shape: tuple[int, int]
) -> None:
    if output is None:
        for record in _trees(records, modality):
            print_json_line(record)
        return
    with staged_file(output) as file:
        if output.suffix == ".npy":
            _write_npy(file, records, shape)
        else:
            for record in _trees(records, modality):
                # A name that is not UTF-8 has surrogates, which are escaped as JSON has them.
                line = json.dumps({**RECORD_MARK, **record}, ensure_ascii=False) + "\n"
                file.write(line.encode(errors="backslashreplace"))


def _write_npy(file: BinaryIO, records: Iterator[_Record], shape: tuple[int, int]) -> None:
    header: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for _, vector in records:
        file.write(vector.astype("<f4").tobytes())


def _trees(records: Iterator[_Record], modality: Modality) -> Iterator[dict[str, object]]:
    for name, vector in records:
        yield {modality: name, "embedding": [float(f"{value:.8g}") for value in vector]}
