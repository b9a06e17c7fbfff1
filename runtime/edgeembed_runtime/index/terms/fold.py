"""Folds texts and queries alike: case, accents, points, widths, ligatures and digits do not matter.

NFKC and case folding (Unicode Standard Annex 15, and section 5.18 of the standard), without the
marks that people leave out: accents of Latin, Greek and Cyrillic letters, Arabic and Hebrew points.
Marks that make another letter stay: vowel signs of Indic scripts, Thai tones, Japanese voicing.
"""

import sys
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


def _table() -> dict[int, str]:
    table = {code: "" for first, last in _LEFT_OUT for code in range(first, last + 1)}
    for code in range(0x80, sys.maxunicode + 1):
        letter = chr(code)
        category = unicodedata.category(letter)
        if category == "Cf":  # soft hyphens, joiners, directions
            table[code] = ""
        elif category == "Nd":
            table[code] = str(unicodedata.decimal(letter))
    table.update({ord(letter): plain for letter, plain in (_PLAIN | _ARABIC).items()})
    return table


_TABLE = _table()


def fold(text: str) -> str:
    """The text as keyword search compares it; folding it again changes nothing."""
    if text.isascii():
        return text.lower()
    # Twice: case folding can yield letters that decompose, and a plain letter can be uppercase.
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text).casefold().translate(_TABLE)
    return unicodedata.normalize("NFC", text)


def composed(text: str) -> str:
    """The text with its case, as one character per letter and width: what terms are found in."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


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
