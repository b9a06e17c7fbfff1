"""Code without its names, numbers, texts and comments: what copies share whose names were changed.

Works on words and signs, not on a grammar: any language will do, and code with syntax errors.
"""

import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

# In the order of trial. A text may be long; nothing is tried twice (possessive quantifiers).
_TOKEN = re.compile(
    r"(?P<comment>/\*(?:[^*]|\*(?!/))*+(?:\*/)?+|//[^\n]*+|\#(?!\[|include|define|if|endif)[^\n]*+)"
    r'|(?P<text>"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?+|\'\'\'(?:[^\'\\]|\\.|\'(?!\'\'))*+(?:\'\'\')?+'
    r'|"(?:[^"\\\n]|\\.)*+"?+|\'(?:[^\'\\\n]|\\.)*+\'?+|`(?:[^`\\]|\\.)*+`?+)'
    r"|(?P<number>\d[\w.]*+)"
    r"|(?P<word>[^\W\d]\w*+)"
    r"|(?P<sign>[-+*/%&|^=<>!:?.]{1,3}+|\S)",
    re.DOTALL,
)
# The words that say what code does, in the languages that are read by structure.
_WORDS = """
    and as assert async await begin bool boolean break byte case catch chan char class const
    continue def default defer del delete do done double elif else elsif end ensure enum except
    extends false fi final finally float fn for foreach from func function global go goto guard if
    impl implements import in instanceof int interface is lambda let long loop map match module
    mut namespace new next nil none not null object of or override package pass private protected
    pub public raise range rescue return select self short static str string struct super switch
    synchronized template then this throw throws trait true try type typedef typeof union unless
    unsafe until use using val var virtual void when where while with yield
"""
_KEYWORDS = frozenset(_WORDS.split())
_LENGTH = 4
_BUCKETS = 1024


def normal_tokens(code: str) -> list[str]:
    """The tokens of code: keywords and signs as they are, `n`, `s` and `0` for all else."""
    found: list[str] = []
    for match in _TOKEN.finditer(code):
        token = match[0]
        match match.lastgroup:
            case "word":
                found.append(token if token.lower() in _KEYWORDS else "n")
            case "text":
                found.append("s")
            case "number":
                found.append("0")
            case "sign":
                found.append(token)
            case _:
                pass
    return found


def structure_vector(tokens: Sequence[str]) -> NDArray[np.float32]:
    """(1024,) of unit length: how often each run of four tokens occurs, hashed.

    Counts count by their square roots, so that a long list of like lines does not outweigh all
    else. Hashing with signs keeps products right on average: Weinberger et al., Feature Hashing for
    Large Scale Multitask Learning, ICML 2009. Zeros for fewer than four tokens.
    """
    counts: dict[str, int] = {}
    for start in range(len(tokens) - _LENGTH + 1):
        run = " ".join(tokens[start : start + _LENGTH])
        counts[run] = counts.get(run, 0) + 1
    vector = np.zeros(_BUCKETS, np.float32)
    for run, count in counts.items():
        code = crc32(run.encode("utf-8", "replace"))
        vector[code % _BUCKETS] += (1 if code & 0x8000_0000 else -1) * count**0.5
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
