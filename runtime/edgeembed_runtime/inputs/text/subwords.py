"""Character n-grams of words, hashed to table rows as in fastText.

Source: Bojanowski et al., TACL 2017, https://arxiv.org/abs/1607.04606, and `Dictionary` of
https://github.com/facebookresearch/fastText/blob/main/src/dictionary.cc
"""

from collections.abc import Iterator

from edgeembed_runtime.bundle.words import Subwords

# 32-bit FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/
_OFFSET_BASIS, _PRIME, _BITS = 2166136261, 16777619, 0xFFFFFFFF
# fastText hashes signed chars, so bytes of 128 and up are sign-extended.
_WIDENED = tuple(byte if byte < 128 else byte | 0xFFFFFF00 for byte in range(256))


def subword_rows(word: str, subwords: Subwords) -> Iterator[int]:
    """Yield the row of every n-gram of `<word>`, in fastText's order, repeats included.

    n counts characters; the hash is over their UTF-8 bytes. The boundary marks `<` and `>` by
    themselves are not n-grams.

    Raises:
        UnicodeEncodeError: the word has a lone surrogate.
    """
    characters = [letter.encode() for letter in f"<{word}>"]
    last = len(characters) - 1
    min_n, first_row, buckets = subwords.min_n, subwords.first_row, subwords.buckets
    for start in range(len(characters)):
        value = _OFFSET_BASIS
        for end in range(start, min(start + subwords.max_n, last + 1)):
            for byte in characters[end]:
                value = ((value ^ _WIDENED[byte]) * _PRIME) & _BITS
            size = end - start + 1
            if size >= min_n and not (size == 1 and (start == 0 or end == last)):
                yield first_row + value % buckets
