"""A vocabulary of whole words as a tokenizer.json, and how texts are best cut into them."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import WhitespaceSplit

# It holds a space, so that it is the word of no text.
UNKNOWN = "unknown word"
# Of a vocabulary that was made from texts in lower case; some such hold a few odd words.
_MAX_IN_CAPITALS = 0.001


def word_tokenizer_json(words: Sequence[str], lowercase: bool) -> bytes:
    """A tokenizer whose ids are the places in `words`, and the next one for any other word."""
    vocabulary = {word: row for row, word in enumerate(words)}
    vocabulary[UNKNOWN] = len(words)
    made = Tokenizer(WordLevel(vocabulary, unk_token=UNKNOWN))
    made.pre_tokenizer = WhitespaceSplit()
    if lowercase:
        made.normalizer = Lowercase()
    return made.to_str().encode()


def is_lowercase(words: Sequence[str]) -> bool:
    """Whether a vocabulary was made from texts in lower case."""
    return sum(word != word.lower() for word in words) <= _MAX_IN_CAPITALS * len(words)
