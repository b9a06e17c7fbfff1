"""From a word-vector file to a bundle that is used like any other."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters._internal.steps import OnStep, ignore_step
from edgeembed_converters.export.table import Rows
from edgeembed_converters.matryoshka.truncated_dims import measured_truncations
from edgeembed_converters.packaging.assemble import (
    TOKENIZER,
    BundleParts,
    check_target,
    model_files,
    variants_of,
    write_proven,
)
from edgeembed_converters.packaging.report import ConversionReport, conversion_report
from edgeembed_converters.packaging.space_fingerprint import fingerprint
from edgeembed_converters.pipeline.table_variants import TableVariants, fitting, table_variants
from edgeembed_converters.word_vectors.open_file import read_word_vectors
from edgeembed_converters.word_vectors.probes import golden_of
from edgeembed_converters.word_vectors.table import BadWords, WordTable, checked_bad_words
from edgeembed_converters.word_vectors.vocabulary import is_lowercase, word_tokenizer_json
from edgeembed_runtime import storage
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import Golden, Source, Subwords, TextTower, UnknownWord, Words
from edgeembed_runtime.bundle.words import UNKNOWN_WORDS
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.word_tokenizer import load_tokenizer
from edgeembed_runtime.vectors import normalize as unit_length

SmallRows = Literal["int8", "fp16"]
_MAX_TOKENS = 8192
_POOLING = "mean of words"


@public
def import_word_vectors(
    path: str | Path,
    output: str | Path,
    *,
    unknown: UnknownWord | None = None,
    max_words: int | None = None,
    quantize: SmallRows | Sequence[SmallRows] | None = None,
    normalize: bool = False,
    lowercase: bool | None = None,
    split_punctuation: bool = True,
    max_tokens: int | None = None,
    bad_words: BadWords = "error",
    name: str | None = None,
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> ConversionReport:
    """Turn word vectors into a bundle: a text's vector is the mean of its words' vectors.

    Args:
        path: a file of word2vec (text or binary), GloVe (text) or fastText (.vec or .bin),
            detected by content. Text is read line by line, binary files are memory-mapped.
        output: the directory to write. It appears whole, at the end, or not at all.
        unknown: how to handle words that are not in the file: "subword", the mean of fastText's
            n-gram vectors (the default for fastText's .bin, which has them); "zero" (the default
            otherwise); the "mean" of all words; or an "error".
        max_words: read only so many; files have their most frequent words first.
        quantize: variants in addition to fp32, with rows in 8 ("int8") or 16 bits ("fp16").
        normalize: give vectors unit length; by default they stay as they are in the file.
        lowercase: look up unknown words in lower case too; by default if all of the file's words
            are lower case.
        split_punctuation: split unknown words at punctuation, as in "end.".
        max_tokens: rows of a text that count; 8192 by default.
        bad_words: unreadable and duplicate lines or words are an "error", or are left out with a
            note ("skip").
        name: of the bundle; by default the file's.
        overwrite: replace a bundle at `output`; anything else is never replaced.
        on_step: called with a few words as each step begins.

    Raises:
        InputError: an option is unknown or does not suit the file, or there is no file.
        ConversionError: the file is damaged or of another kind; the message says where.
        UnsupportedModelError: a supervised, quantized or newer fastText model.
        StorageError: the disk is full, or `output` is taken.
    """
    start = time.perf_counter()
    on_step = on_step or ignore_step
    file, target = Path(path), Path(output)
    wanted = _checked(unknown, max_words, quantize, max_tokens, bad_words)
    check_target(target, overwrite)
    on_step("Reading the word vectors")
    table = read_word_vectors(file, max_words, bad_words)
    words = _words_of(table, unknown, lowercase, split_punctuation)
    tokenizer_json = word_tokenizer_json(table.words, words.lowercase)
    tower = TextTower(
        tokenizer=TOKENIZER,
        max_tokens=max_tokens or _MAX_TOKENS,
        pooling=_POOLING,
        head=("Normalize",) if normalize else (),
        static=True,
        words=words,
        variants=(),
    )
    tokenizer = load_tokenizer(tokenizer_json, tower, f"{file}: its words as {TOKENIZER}")
    rows = _all_rows(table, words, wanted)
    golden = golden_of(table.words, rows, tokenizer)
    if normalize:
        golden = Golden(texts=golden.texts, vectors=unit_length(golden.vectors))
    made = table_variants(rows, wanted, golden, tokenizer, normalize=normalize, on_step=on_step)
    variants = variants_of(made.models)
    sha256 = storage.sha256_file(file)
    parts = BundleParts(
        name=name or file.stem,
        space=fingerprint(_space_parts(sha256, tower, words, max_words)),
        source=Source(id=file.name, weights_sha256=sha256),
        normalized=normalize,
        text=replace(tower, variants=variants),
        golden=golden,
        models=model_files(variants, made.models),
        files={TOKENIZER: tokenizer_json},
        truncations=measured_truncations(golden.vectors),
        notes=_notes(table, words, made),
    )
    manifest = write_proven(target, parts, overwrite=overwrite, on_step=on_step)
    return conversion_report(
        target,
        manifest,
        {},
        pooling=tower.pooling,
        head=tower.head,
        exporter="word vectors",
        truncations=parts.truncations,
        notes=parts.notes,
        seconds=time.perf_counter() - start,
    )


def _checked(
    unknown: str | None,
    max_words: int | None,
    quantize: SmallRows | Sequence[SmallRows] | None,
    max_tokens: int | None,
    bad_words: str,
) -> tuple[Rows, ...]:
    """The kinds of rows to make; refuses invalid options."""
    checked_bad_words(bad_words)
    if unknown is not None and unknown not in UNKNOWN_WORDS:
        raise InputError(f"unknown: expected one of {', '.join(UNKNOWN_WORDS)}, got {unknown!r}")
    for option, number in (("max_words", max_words), ("max_tokens", max_tokens)):
        if number is not None and (type(number) is not int or number < 1):
            raise InputError(f"{option}: expected a positive number, got {number!r}")
    small = () if quantize is None else (quantize,) if isinstance(quantize, str) else quantize
    for rows in small:
        if rows not in ("int8", "fp16"):
            raise InputError(f"quantize: expected int8 or fp16 for word vectors, got {rows!r}")
    return ("fp32", *dict.fromkeys(small))


def _words_of(
    table: WordTable, unknown: UnknownWord | None, lowercase: bool | None, split: bool
) -> Words:
    policy = unknown or ("zero" if table.buckets is None else "subword")
    subwords = None
    if policy == "subword":
        if table.buckets is None:
            raise InputError(
                "unknown: expected zero, mean or error for a file without vectors of n-grams, got "
                "'subword'; fastText's .bin files have them"
            )
        subwords = Subwords(
            first_row=len(table.words) + 1,
            buckets=len(table.buckets.vectors),
            min_n=table.buckets.min_n,
            max_n=table.buckets.max_n,
        )
    return Words(
        lowercase=is_lowercase(table.words) if lowercase is None else lowercase,
        split_punctuation=split,
        unknown=policy,
        subwords=subwords,
    )


def _all_rows(table: WordTable, words: Words, wanted: Sequence[Rows]) -> NDArray[np.float32]:
    """The rows of words, of the unknown word, and of n-grams: (ids, d) float32."""
    count, dim = table.vectors.shape
    grams = table.buckets.vectors if words.subwords and table.buckets else table.vectors[:0]
    fitting((count + 1 + len(grams), dim), wanted)  # fails before anything is copied
    unknown = np.zeros((1, dim), np.float32)
    if words.unknown == "mean":
        unknown[0] = table.vectors.mean(axis=0, dtype=np.float64)
    return np.concatenate([table.vectors, unknown, grams])


def _notes(table: WordTable, words: Words, variants: TableVariants) -> tuple[str, ...]:
    skipped = (f"{count} left out: {reason}" for reason, count in table.skipped.items())
    what = f"{len(table.words)} words"
    if words.subwords:
        what += f", {words.subwords.buckets} rows for n-grams"
    return (f"{what}; unknown words: {words.unknown}", *skipped, *variants.notes)


def _space_parts(
    sha256: str, tower: TextTower, words: Words, max_words: int | None
) -> Mapping[str, object]:
    """All that decides a vector: the file, and how a text becomes words of it."""
    return {
        "weights": sha256,
        "max_words": max_words,
        "max_tokens": tower.max_tokens,
        "pooling": tower.pooling,
        "head": list(tower.head),
        "words": {**vars(words), "subwords": words.subwords and vars(words.subwords)},
    }
