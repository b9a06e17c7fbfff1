"""Folds texts and queries alike: case, accents, points, widths, ligatures and digits do not matter.

NFKC and case folding (Unicode Standard Annex 15, and section 5.18 of the standard), without the
marks that people leave out: accents of Latin, Greek and Cyrillic letters, Arabic and Hebrew points.
Marks that make another letter stay: vowel signs of Indic scripts, Thai tones, Japanese voicing.
"""

import re
import unicodedata
from collections.abc import Iterator

# Accents; Hebrew points; Arabic points, hamzas and Quranic signs, and the tatweel that stretches
# words; accents for symbols, and half marks.
_LEFT_OUT = (
    (0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05BD), (0x05BF, 0x05C7), (0x0610, 0x061A),
    (0x0640, 0x0640), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06ED), (0x08D3, 0x08FF),
    (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F),
)  # fmt: skip
# Letters that Unicode does not decompose, as they are written without their strokes.
_PLAIN = {
    "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ŧ": "t",
    "þ": "th", "ŋ": "n", "ĸ": "k", "ƒ": "f",
}  # fmt: skip
# Letters that Arabic writers exchange (Lucene's ArabicNormalizer and PersianNormalizer).
_ARABIC = {"\u0649": "\u064a", "\u06cc": "\u064a", "\u06a9": "\u0643", "\u0629": "\u0647"}


class _Table(dict[int, str | None]):
    """What becomes of each character: looked up once, when it first occurs."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        folded: str | None = letter
        if unicodedata.category(letter) == "Cf":  # soft hyphens, joiners, directions
            folded = None
        elif letter.isdecimal():
            folded = str(unicodedata.decimal(letter))
        elif any(first <= code <= last for first, last in _LEFT_OUT):
            folded = None
        self[code] = folded
        return folded


_TABLE = _Table({ord(letter): plain for letter, plain in (_PLAIN | _ARABIC).items()})


def fold(text: str) -> str:
    """The text as keyword search compares it; folding it again changes nothing."""
    if text.isascii():
        return text.lower()
    # Twice: case folding can yield letters that decompose, and a plain letter can be uppercase.
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text).casefold().translate(_TABLE)
    return unicodedata.normalize("NFC", text)


def _ranges(*bounds: tuple[int, int]) -> Iterator[str]:
    for first, last in bounds:
        yield f"{chr(first)}-{chr(last)}"


# Scripts written without spaces between words: Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han. And
# Hangul, whose words end in particles.
UNSPACED = "".join(
    _ranges(
        (0x0E01, 0x0EFF), (0x0F40, 0x0FBC), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17D3),
        (0x3005, 0x3007), (0x3041, 0x3096), (0x3099, 0x309A), (0x309D, 0x30FF), (0x3131, 0x318E),
        (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA960, 0xA97C), (0xAC00, 0xD7FB),
        (0xF900, 0xFAFF), (0x20000, 0x323AF),
    )
)  # fmt: skip
"""The inside of a character class of a regular expression."""
EMOJI = "".join(_ranges((0x2600, 0x27BF), (0x2B05, 0x2B55), (0x1F000, 0x1FAFF)))
"""See UNSPACED; letters and digits are none of them."""
MARKS = "".join(
    _ranges(
        # Combining marks, Cyrillic, Hebrew, Arabic, Syriac, Thaana, N'Ko, Arabic, and invisible.
        (0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05BD), (0x05BF, 0x05BF), (0x05C1, 0x05C2),
        (0x05C4, 0x05C5), (0x05C7, 0x05C7), (0x0610, 0x061A), (0x0640, 0x0640), (0x064B, 0x065F),
        (0x0670, 0x0670), (0x06D6, 0x06DC), (0x06DF, 0x06E8), (0x06EA, 0x06ED), (0x0711, 0x0711),
        (0x0730, 0x074A), (0x07A6, 0x07B0), (0x07EB, 0x07F3), (0x08CA, 0x08FF), (0x00AD, 0x00AD),
        (0x200B, 0x200D),
        # Scripts of India and Sri Lanka, without their full stops and signs.
        (0x0900, 0x0963), (0x0966, 0x096F), (0x0971, 0x09F3), (0x09FE, 0x0A75), (0x0A81, 0x0AEF),
        (0x0AF9, 0x0C76), (0x0C80, 0x0C83), (0x0C85, 0x0DF3),
        # Tagalog, Mongolian, Limbu to Vedic, Saurashtra to Javanese, Meetei Mayek.
        (0x1712, 0x1734), (0x1885, 0x1886), (0x18A9, 0x18A9), (0x1920, 0x193B), (0x1A17, 0x1A1B),
        (0x1AB0, 0x1AFF), (0x1B00, 0x1B04), (0x1B34, 0x1B44), (0x1B80, 0x1B82), (0x1BA1, 0x1BAD),
        (0x1BE6, 0x1BF3), (0x1C24, 0x1C37), (0x1CD0, 0x1CD2), (0x1CD4, 0x1CFA), (0x1DC0, 0x1DFF),
        (0x20D0, 0x20F0), (0xA823, 0xA827), (0xA880, 0xA881), (0xA8B4, 0xA8C5), (0xA8E0, 0xA8F1),
        (0xA926, 0xA92D), (0xA947, 0xA953), (0xA980, 0xA983), (0xA9B3, 0xA9C0), (0xABE3, 0xABED),
        # Adlam, and the northern and southern scripts of the second plane.
        (0x1E944, 0x1E94A), (0x11000, 0x11046), (0x11080, 0x110BA), (0x11100, 0x11134),
    )
)  # fmt: skip
"""See UNSPACED; parts of words, but no letters to Python."""
# Normalizing sorts the marks of a letter, which takes a minute for a megabyte of them. No letter
# has more than 30 (Unicode Standard Annex 15, Stream-Safe Text Format).
_MANY_MARKS = re.compile(rf"([^\w\0-\x7f{EMOJI}]{{30}})[^\w\0-\x7f{EMOJI}]++")


def composed(text: str) -> str:
    """The text with its case, as one character per letter and width: what terms are found in."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _MANY_MARKS.sub(r"\1", text))
