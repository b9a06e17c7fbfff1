"""Text of any encoding is read, and what is no text is told."""

import pytest

from edgeembed.ingest.readers.base.protocol import Reason, SkippedError
from helpers.readers.reading import read_bytes, told

GERMAN = "Grüße aus Köln: the dentist appointment is on Thursday at half past nine. "
TEXTS = {
    "utf-8": GERMAN,
    "utf-8-sig": GERMAN,
    "utf-16": GERMAN,
    "utf-16-le": GERMAN,
    "utf-16-be": GERMAN,
    "utf-32": GERMAN,
    "utf-32-be": GERMAN,
    "latin-1": GERMAN,
    "cp1252": "It costs 5 € – a “nice” price, and the café is open.",
    "mac_roman": GERMAN,
    "shift_jis": "name,note\n1,歯医者の予約は木曜日\n",
    "euc_jp": "日本語のテキストファイルです。漢字とカタカナ。",
    "gbk": "牙医预约在星期四",
    "big5": "他說：「今天天氣很好，我們去公園。」",
    "cp949": "오늘은 날씨가 좋습니다. 공원에 갑시다.",
    "cp1251": "Приём у стоматолога в четверг",
    "koi8-r": "Приём у стоматолога в четверг",
    "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "cp1253": "Ο οδοντίατρος την Πέμπτη",
    "cp1254": "İstanbul'da güneş doğuyor, ağaçlar yeşil",
    "cp1256": "موعد طبيب الأسنان يوم الخميس",
    "utf-32-le": "Приём у стоматолога в четверг",
    "iso2022_jp": "日本語のテキストファイルです。漢字とカタカナ。",
    "iso2022_kr": "오늘은 날씨가 좋습니다. 공원에 갑시다.",
    "iso8859_5": "Городская библиотека открыта каждый день, и библиотекарь помогает читателям.",
}


def text_of(blocks):
    return "".join(block.text for block in blocks)


@pytest.mark.parametrize("encoding", TEXTS)
def test_text_is_read_whatever_its_encoding(tmp_path, encoding):
    blocks, remarks = read_bytes(tmp_path, "a.txt", TEXTS[encoding].encode(encoding))
    assert text_of(blocks) == TEXTS[encoding]
    assert remarks == []


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("naïve café", "latin-1"),
        ("El niño comió piñas en España, ¿verdad? ¡Sí!", "latin-1"),
        ("Smørrebrød på Ærø, blåbær", "cp1252"),
        ("牙医预约在星期四\n周五\n", "utf-16-le"),
        ("日本語のテキストファイルです。", "shift_jis"),
        ("市立圖書館除星期六外每天開放。", "utf-16-le"),
        ("市立図書館は毎日開いており、司書は読者を助けます。", "utf-16-be"),
        ("x", "utf-16"),
    ],
)
def test_little_text_is_enough(tmp_path, text, encoding):
    assert text_of(read_bytes(tmp_path, "a", text.encode(encoding))[0]) == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_a_character_of_the_file_and_none_of_the_text(tmp_path, encoding):
    (block,), _ = read_bytes(tmp_path, "a.txt", "the cat".encode(encoding))
    assert (block.text, block.place["start"]) == ("the cat", 1)


def test_one_bad_byte_costs_one_character_and_is_told(tmp_path):
    text = ("Zoë and René met at the café. " * 40 + "\n") * 60
    data = bytearray(text.encode())
    data[50_001] = 0xFF
    blocks, remarks = read_bytes(tmp_path, "note.md", bytes(data))
    lost = sum(a != b for a, b in zip(text_of(blocks), text, strict=False))
    assert lost <= 2 or text_of(blocks).count("\ufffd") <= 2
    assert [remark.reason for remark in remarks] == [Reason.REPLACED]
    assert remarks[0].where == f"line {text.encode()[:50_001].count(10) + 1}"


def test_bytes_that_a_crash_left_do_not_make_a_log_binary(tmp_path):
    data = (GERMAN * 200).encode()
    blocks, _ = read_bytes(tmp_path, "a.log", data + b"\0" * 3 + data)
    assert text_of(blocks).count("dentist") == 400


def test_ascii_with_zeros_in_it_is_no_chinese(tmp_path):
    for text in ("start of note\0\0 the rest is plain ", "a\0b c d e f g h"):
        assert text_of(read_bytes(tmp_path, "a.txt", text.encode())[0]) == text


def test_control_characters_are_text_too(tmp_path):
    text = "abc\x01def\x0cghi\x7f " * 3000
    assert text_of(read_bytes(tmp_path, "a.txt", text)[0]) == text


@pytest.mark.parametrize(
    "data",
    [b"\0", b"a\0b", bytes(range(256)) * 40, b"\0" * 5000, b"\x00\x01\x02\x03" * 500],
    ids=["NUL", "a NUL", "all bytes", "NULs", "integers"],
)
def test_what_is_no_text_is_told(tmp_path, data):
    with pytest.raises(SkippedError) as caught:
        read_bytes(tmp_path, "a.txt", data)
    assert caught.value.reason == Reason.NOT_TEXT


def test_a_sample_that_ends_in_a_character_is_text(tmp_path):
    for shift in range(4):
        text = "a" * shift + "東京🎉é" * 9000
        blocks, remarks = read_bytes(tmp_path, "a.txt", text)
        assert text_of(blocks) == text
        assert told(remarks) == []
