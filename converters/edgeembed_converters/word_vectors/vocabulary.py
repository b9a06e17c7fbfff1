"""A vocabulary of whole words as a tokenizer.json."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import WhitespaceSplit

# Contains a space, so it never occurs as a word.
UNKNOWN = "unknown word"
# Some vocabularies of lowercased texts still have a few other words.
_MAX_UPPERCASE_SHARE = 0.001


def word_tokenizer_json(words: Sequence[str], lowercase: bool) -> bytes:
    """A tokenizer whose ids are indices into `words`, and the next id for unknown words."""
    vocabulary = {word: row for row, word in enumerate(words)}
    vocabulary[UNKNOWN] = len(words)
    made = Tokenizer(WordLevel(vocabulary, unk_token=UNKNOWN))
    made.pre_tokenizer = WhitespaceSplit()
    if lowercase:
        made.normalizer = Lowercase()
    return made.to_str().encode()


def is_lowercase(words: Sequence[str]) -> bool:
    """Whether a vocabulary comes from lowercased texts."""
    return sum(word != word.lower() for word in words) <= _MAX_UPPERCASE_SHARE * len(words)
