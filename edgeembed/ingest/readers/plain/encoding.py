"""Tells in which encoding a text is written, or that bytes are no text.

A byte order mark decides. Without one: UTF-16 and UTF-32 are known by where their zeros are, or by
being Chinese, Japanese or Korean; ISO-2022 by its escape sequences; UTF-8 by being valid, or
nearly. What is left is asked of charset-normalizer, among the encodings that people's files are in.
"""

import codecs
import re
from dataclasses import dataclass
from typing import BinaryIO

from edgeembed.ingest.readers.base.protocol import Reason, SkippedError
from edgeembed_runtime.errors import MissingExtraError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHUNK = 1 << 18
_SAMPLE = 1 << 15
_CONTROLS = bytes(n for n in range(32) if n not in (0, 8, 9, 10, 11, 12, 13, 26, 27)) + b"\x7f"
_LINE_BEYOND_ASCII = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")
# Where the detector cannot choose, the more common one comes first.
_LEGACY = (
    "cp1252", "cp932", "gb18030", "big5", "cp949", "euc_jp", "cp1251", "koi8_r", "cp866",
    "iso8859_5", "cp1250", "iso8859_2", "cp1253", "cp1254", "cp1255", "cp1256", "cp874",
    "mac_roman", "cp437",
)  # fmt: skip
# What texts in cp1252 have beyond ASCII; the rest of the table is what other encodings look like.
_WESTERN = frozenset(
    "àâäáãåæçéèêëíìîïñóòôöõøúùûüýÿœšžßÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØÚÙÛÜÝŒŠŽ"
    "€£¥§©®°±²³µ·½¼¾×«»‹›–—‘’‚“”„…•™\u00a0¿¡ªº¹¶†‡"
)
_ODD = re.compile(
    r"[\uff61-\uff9f\u2500-\u259f\ufffd\ue000-\uf8ff]"
    r"|(?<=[\u3131-\u318e])[\u4e00-\u9fff\uac00-\ud7a3]"  # parts of letters within a word
    r"|(?<=\w)[¿¡‘“„‚±¶·©®¼½¾§†‡£¥¤Ľľ¦¬\u2202-\u22ff≪](?=\w)|(?<=[a-zà-ÿ])[À-ÞŹŚŠ](?=[a-z])"
)
_EAST_ASIAN = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff00-\uffef]")
_LEAST_WIDE = 8
_ESCAPES = (
    (re.compile(rb"\x1b\$[@B]"), "iso2022_jp_ext"),
    (re.compile(rb"\x1b\$\)C"), "iso2022_kr"),
)
_DOUBLE = frozenset({"cp932", "gb18030", "big5", "cp949", "euc_jp"})
_TIE = 0.06


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """The encoding of a text.

    Attributes:
        name: as Python calls it.
        mark: bytes of the byte order mark; as a character it counts in offsets.
        damaged: whether some bytes are not of it, and are to be replaced.
    """

    name: str
    mark: int = 0
    damaged: bool = False


def encoding_of(stream: BinaryIO) -> Encoding:
    """The encoding of all of a seekable stream, which is left at its beginning.

    Raises:
        SkippedError: it is not text.
        MissingExtraError: it is in none of UTF-8, UTF-16 and UTF-32, and the detector is not here.
    """
    stream.seek(0)
    sample = stream.read(_SAMPLE)
    found = _marked(sample) or _wide(sample) or _narrow(sample, stream)
    stream.seek(0)
    return found


def _marked(sample: bytes) -> Encoding | None:
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return Encoding(name=name, mark=len(mark), damaged=True)
    return None


def _wide(sample: bytes) -> Encoding | None:
    """UTF-32 or UTF-16 without a mark: any ASCII in it has its zeros in one place."""
    if b"\0" not in sample or _is_ascii_with_zeros(sample):
        return None
    for name, unit in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        if len(sample) % unit and len(sample) < _SAMPLE:
            continue
        try:
            text = sample[: len(sample) - len(sample) % 4].decode(name)
        except UnicodeDecodeError:
            continue
        # Zeros come from ASCII; of other characters, few end in one. Nothing else is UTF-32.
        from_ascii = sum(character < "\x80" for character in text) * (unit - 1)
        if "\0" not in text and (unit == 4 or 2 * from_ascii >= sample.count(0)):
            usual = sum(map(_is_usual, text))
            if usual >= 0.9 * len(text):
                return Encoding(name=name, damaged=True)
    return None


def _is_ascii_with_zeros(sample: bytes) -> bool:
    """Whether a sample is ASCII with zeros here and there; in UTF-16, ASCII is half zeros."""
    return sample.isascii() and not _controls(sample) and sample.count(0) * 4 < len(sample)


def _east_asian(sample: bytes) -> Encoding | None:
    """UTF-16 without a mark and with few zeros: Chinese, Japanese or Korean, nearly all of it."""
    if len(sample) < _LEAST_WIDE or (len(sample) % 2 and len(sample) < _SAMPLE):
        return None
    for name in ("utf-16-le", "utf-16-be"):
        try:
            text = sample[: len(sample) - len(sample) % 2].decode(name)
        except UnicodeDecodeError:
            continue
        found = len(_EAST_ASIAN.findall(text))
        if "\0" not in text and found >= 0.8 * len(text):
            return Encoding(name=name, damaged=True)
    return None


def _escaped(sample: bytes) -> Encoding | None:
    """Japanese or Korean in ASCII with escape sequences, as in old mails."""
    for mark, name in _ESCAPES:
        if mark.search(sample):
            try:
                codecs.getincrementaldecoder(name)().decode(sample)
            except UnicodeDecodeError:
                continue
            return Encoding(name=name, damaged=True)
    return None


def _is_usual(character: str) -> bool:
    code = ord(character)
    return (
        0x20 <= code < 0x530  # Latin, Greek, Cyrillic
        or code in (9, 10, 13)
        or 0x590 <= code < 0x780  # Hebrew, Arabic
        or 0x900 <= code < 0x1000
        or 0x2010 <= code < 0x2070
        or 0x3000 <= code < 0x3100
        or 0x4E00 <= code < 0xA000
        or 0xAC00 <= code < 0xD7A4
        or 0xFF00 <= code < 0xFFF0
        or 0x1F300 <= code < 0x1FB00
    )


def _narrow(sample: bytes, stream: BinaryIO) -> Encoding:
    """UTF-8, or an older encoding of bytes."""
    survey = _Survey()
    survey.add(sample)
    if survey.bad and _controls(sample) > len(sample) // 50:
        if (wide := _east_asian(sample)) is not None:
            return wide
        raise SkippedError(Reason.NOT_TEXT, "binary")
    stream.seek(len(sample))
    while chunk := stream.read(_CHUNK):
        survey.add(chunk)
    survey.end()
    # NULs are left where a writer was cut off; a binary file is full of them.
    runs, least = len(re.findall(rb"\0+", sample)), 1 if _is_ascii_with_zeros(sample) else 0
    if runs > max(len(sample) // 1000, least) or sample.count(0) * 2 > len(sample):
        raise SkippedError(Reason.NOT_TEXT, "binary")
    if survey.bad == 0:
        return _escaped(sample) or Encoding(name="utf-8")
    if survey.good >= 2 * survey.bad:
        return Encoding(name="utf-8", damaged=True)
    legacy = _legacy(bytes(survey.sample))
    if legacy is not None:
        return Encoding(name=legacy, damaged=True)
    if survey.bad * 20 > survey.size:
        raise SkippedError(Reason.NOT_TEXT, "binary, or in an unknown encoding")
    return Encoding(name="utf-8", damaged=True)


def _controls(sample: bytes) -> int:
    """How many characters a sample has that no text has; NULs are counted otherwise."""
    return len(sample) - len(sample.translate(None, _CONTROLS))


class _Survey:
    """Counts the characters beyond ASCII that are valid UTF-8, and the ones that are not."""

    def __init__(self) -> None:
        self.good = self.bad = self.size = 0
        self.sample = bytearray()
        """Lines with bytes beyond ASCII."""
        self._rest = b""

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if not self._rest and chunk.isascii():
            return
        if len(self.sample) < _SAMPLE:
            for line in _LINE_BEYOND_ASCII.findall(chunk):
                self.sample += line[: _SAMPLE - len(self.sample)]
                if len(self.sample) >= _SAMPLE:
                    break
        chunk = self._rest + chunk
        cut = _character_start(chunk)
        self._rest = chunk[cut:]
        self._count(chunk[:cut])

    def end(self) -> None:
        self._count(self._rest)

    def _count(self, data: bytes) -> None:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("utf-8", "replace")
            self.bad += text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
        # A byte beyond ASCII that continues a character starts none.
        self.good += len(text) - len(data.translate(None, bytes(range(128, 256))))


def _character_start(data: bytes) -> int:
    """Where the last character starts, if the data may end within it; else its length."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return len(data)
        if byte >= 0xC0:
            return len(data) - back
    return len(data)


def _legacy(sample: bytes) -> str | None:
    try:
        import charset_normalizer
    except ImportError as error:
        raise MissingExtraError.for_extra("text that is not UTF-8", "documents") from error
    matches = charset_normalizer.from_bytes(sample, cp_isolation=list(_LEGACY))
    found = {match.encoding: match.chaos - match.coherence / 10 for match in matches}
    scores = {name: score + _oddness(sample, name) for name, score in found.items()}
    best = min(scores, key=lambda name: (scores[name], _LEGACY.index(name)), default=None)
    # Among tables that are alike where the text has letters, this one is by far the most common.
    return "cp1252" if best not in _DOUBLE and _is_western(sample) else best


def _oddness(sample: bytes, name: str) -> float:
    """How many of the characters beyond ASCII are of kinds that words are not made of."""
    text = sample.decode(name, "replace")
    beyond = sum(character >= "\x80" for character in text)
    return len(_ODD.findall(text)) / max(beyond, 1)


def _is_western(sample: bytes) -> bool:
    """Whether a text reads as Western European in cp1252, in all of its characters."""
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    beyond = {character for character in text if character >= "\x80"}
    letters = sum(map(str.isalpha, text))
    plain = sum("a" <= character.lower() <= "z" for character in text)
    return beyond <= _WESTERN and not _ODD.search(text) and 4 * plain >= 3 * letters
