"""Vocabularies of a few sentences, the same in every process.

The trainers of `tokenizers` break ties in the order of a hash map, so that two processes train two
WordPiece or Unigram vocabularies on one corpus; a model with seeded weights would then differ.
"""

import math
from collections import Counter

_LONGEST = 8


def wordpiece_vocabulary(tokenizer, corpus, specials):
    """{piece: id}: the letters of a corpus, its words, and their endings."""
    words = _words(tokenizer, corpus)
    letters = {letter for word in words for letter in word}
    endings = {word[-n:] for word in words for n in (2, 3) if len(word) > n}
    continued = {f"##{piece}" for piece in letters | endings}
    pieces = [*specials, *sorted(letters), *sorted(continued), *sorted(set(words) - letters)]
    return {piece: index for index, piece in enumerate(pieces)}


def unigram_vocabulary(tokenizer, corpus, specials):
    """[(piece, log probability)]: what occurs twice in a corpus, and its letters."""
    words = _words(tokenizer, corpus)
    counts = Counter(
        word[start:end]
        for word in words
        for start in range(len(word))
        for end in range(start + 1, min(len(word), start + _LONGEST) + 1)
    )
    kept = sorted(piece for piece, count in counts.items() if count > 1 or len(piece) == 1)
    total = sum(counts[piece] for piece in kept)
    scores = [(piece, math.log(counts[piece] * len(piece) / total)) for piece in kept]
    return [*((special, 0.0) for special in specials), *scores]


def _words(tokenizer, corpus):
    """Every word of a corpus, as often as it occurs, as this tokenizer cuts it."""
    found = []
    for text in corpus:
        normal = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
        found += [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]
    return found
