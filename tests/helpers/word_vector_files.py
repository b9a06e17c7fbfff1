"""Small files of word vectors in every form, and what they mean: it shares no code with ours.

fastText's hash and n-grams are written here as its paper and its source describe them, on strings.
"""

import struct

import numpy as np

WORDS = (
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "dog",
    "ran",
    "naïve",
    "東京",
    "e-mail",
    "U.S.",
    ",",
    ".",
)


COUNT = len(WORDS)


def vectors(count=COUNT, dim=6, seed=7):
    """Seeded vectors that six decimals hold exactly enough: (count, dim) float32."""
    return np.random.default_rng(seed).normal(size=(count, dim)).round(5).astype(np.float32)


def text(words=WORDS, values=None, *, header=True, end=" \n"):
    """word2vec's or fastText's text form, or GloVe's without the header."""
    values = vectors(len(words)) if values is None else values
    lines = [f"{len(words)} {values.shape[1]}\n"] if header else []
    for word, row in zip(words, values, strict=True):
        lines.append(f"{word} {' '.join(f'{x:.5f}' for x in row)}{end}")
    return "".join(lines).encode()


def binary(words=WORDS, values=None, *, between=b"\n"):
    """word2vec's binary form; `between` is what follows each vector."""
    values = vectors(len(words)) if values is None else values
    parts = [f"{len(words)} {values.shape[1]}\n".encode()]
    for word, row in zip(words, values, strict=True):
        parts.append(word.encode() + b" " + row.astype("<f4").tobytes() + between)
    return b"".join(parts)


def fasttext(
    words=WORDS, *, dim=6, buckets=50, minn=2, maxn=4, magic=793712314, version=12, model=2,
    labels=0, pruned=-1, quantized=0, rows=None, seed=11,
):  # fmt: skip
    """fastText's .bin, and its matrix: (words + buckets, dim)."""
    matrix = np.random.default_rng(seed).normal(size=(len(words) + buckets, dim)).astype("<f4")
    args = struct.pack("<12id", dim, 5, 5, 1, 5, 1, 1, model, buckets, minn, maxn, 100, 1e-4)
    size = len(words) + labels
    dictionary = struct.pack("<3i2q", size, len(words), labels, 1000, pruned)
    for word in words:
        dictionary += word.encode() + b"\0" + struct.pack("<qb", 3, 0)
    for label in range(labels):
        dictionary += f"__label__{label}".encode() + b"\0" + struct.pack("<qb", 3, 1)
    height = len(words) + buckets if rows is None else rows
    return (
        struct.pack("<2i", magic, version) + args + dictionary + struct.pack("<b", quantized)
        + struct.pack("<2q", height, dim) + matrix.tobytes() + struct.pack("<b2q", 0, 0, 0)
    ), matrix  # fmt: skip


def fasttext_hash(gram):
    """32-bit FNV-1a over signed bytes."""
    value = 2166136261
    for byte in gram.encode():
        signed = byte - 256 if byte > 127 else byte
        value = (value ^ (signed & 0xFFFFFFFF)) * 16777619 % 2**32
    return value


def grams(word, minn, maxn):
    """The n-grams of a word between its marks, in fastText's order."""
    marked = f"<{word}>"
    return [
        marked[start : start + n]
        for start in range(len(marked))
        for n in range(minn, maxn + 1)
        if start + n <= len(marked) and not (n == 1 and start in (0, len(marked) - 1))
    ]


def fasttext_vector(word, words, matrix, *, buckets=50, minn=2, maxn=4):
    """The vector of any word by a model's matrix, in float64."""
    rows = [len(words) + fasttext_hash(gram) % buckets for gram in grams(word, minn, maxn)]
    if word in words:
        rows.insert(0, list(words).index(word))
    return matrix[rows].astype(np.float64).mean(axis=0)
