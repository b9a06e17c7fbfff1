"""Archives: their files by their own readers, within bounds."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile

import pytest

from edgeembed.ingest.readers.base.protocol import ReadingSettings, Reason, SkippedError
from helpers.readers.reading import read_bytes, told

LOG = "2024-05-01 the server failed\n" * 50


def zipped(*entries):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(*entries):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.log.gz", gzip.compress), ("a.log.bz2", bz2.compress), ("a.log.xz", lzma.compress)],
)
def test_a_packed_file_is_read_as_the_file_that_it_is(tmp_path, name, pack):
    (block,), remarks = read_bytes(tmp_path, name, pack(LOG.encode()))
    assert remarks == []
    assert (block.part, block.text) == ("", LOG)
    twice = pack(LOG.encode()) + pack(LOG.encode())
    assert read_bytes(tmp_path, name, twice)[0][0].text == LOG * 2


@pytest.mark.parametrize(("name", "pack"), [("a.gz", gzip.compress), ("a.xz", lzma.compress)])
def test_a_packed_file_that_breaks_off_is_told(tmp_path, name, pack):
    with pytest.raises(SkippedError) as caught:
        read_bytes(tmp_path, name, pack(os.urandom(5000))[:-2000])
    assert caught.value.reason == Reason.DAMAGED


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("a.log.gz", lambda data: gzip.compress(data) + b"garbage"),
        ("a.log.gz", lambda data: gzip.compress(data)[:-8] + bytes(8)),
        ("a.log.gz", lambda data: gzip.compress(data)[:-9]),
        ("a.log.xz", lambda data: lzma.compress(data)[:-20]),
    ],
    ids=["garbage behind it", "a wrong sum", "no end", "no end of xz"],
)
def test_what_a_packed_file_has_before_its_damage_is_read(tmp_path, name, damage):
    blocks, (remark,) = read_bytes(tmp_path, name, damage(LOG.encode()))
    assert blocks[0].text[:10] == LOG[:10]
    assert (remark.reason, remark.where) == (Reason.DAMAGED, "the end")
    assert "cannot be unpacked" in remark.detail


def test_a_packed_file_within_a_packed_file_is_read(tmp_path):
    (block,), remarks = read_bytes(tmp_path, "a.log.gz.gz", gzip.compress(gzip.compress(b"twice")))
    assert (block.text, remarks) == ("twice", [])


def test_the_files_of_an_archive_are_its_parts(tmp_path):
    inner = zipped(("deep.txt", "the deep cat"))
    entries = [
        ("notes/a_b.md", "# Cat\n\nIt sat."),
        ("../../etc/x.txt", "up"),
        ("C:\\temp\\y.txt", "windows"),
        ("t.csv", "a,b\n1,2\n"),
        ("inner.zip", inner),
        ("p.png", b"\x89PNG\r\n\x1a\n\0"),
        ("__MACOSX/._a", b"\0\0"),
    ]
    blocks, remarks = read_bytes(tmp_path, "a.zip", zipped(*entries))
    assert [(block.part, block.title) for block in blocks] == [
        ("notes/a_b.md", "a_b"),
        ("etc/x.txt", "x"),
        ("C:/temp/y.txt", "y"),
        ("t.csv:2", "t"),
        ("inner.zip/deep.txt", "deep"),
    ]
    assert told(remarks) == [(Reason.NOT_TEXT, "p.png")]
    assert "image bundle" in remarks[0].detail


def test_tar_archives(tmp_path):
    data = tarred(("a.txt", b"the cat"), ("d/b.md", b"the dog"))
    for name, packed in (("a.tar", data), ("a.tgz", gzip.compress(data)), ("noname", data)):
        blocks, remarks = read_bytes(tmp_path, name, packed)
        assert [(block.part, block.text) for block in blocks] == [
            ("a.txt", "the cat"),
            ("d/b.md", "the dog"),
        ]
        assert told(remarks) == [(Reason.LINK, "link")]


def test_encrypted_entries_are_told_and_the_others_read(tmp_path):
    data = bytearray(zipped(("a.txt", "secret"), ("b.txt", "the cat")))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    blocks, remarks = read_bytes(tmp_path, "a.zip", bytes(data))
    assert [block.text for block in blocks] == ["the cat"]
    assert told(remarks) == [(Reason.ENCRYPTED, "a.txt")]


def test_damaged_entries_are_told_and_the_others_read(tmp_path):
    data = bytearray(zipped(("a.txt", os.urandom(3000)), ("b.txt", "the cat")))
    data[200] ^= 0xFF
    blocks, remarks = read_bytes(tmp_path, "a.zip", bytes(data))
    assert [block.text for block in blocks] == ["the cat"]
    assert told(remarks) == [(Reason.DAMAGED, "a.txt")]


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"PK\x05\x06", b"text"])
def test_what_is_no_archive_is_told(tmp_path, data):
    with pytest.raises(SkippedError) as caught:
        read_bytes(tmp_path, "a.zip", data)
    assert caught.value.reason == Reason.DAMAGED


ZEROS = b"x" * (40 << 20)


@pytest.mark.parametrize("name", ["a.zip", "a.txt.gz", "a.txt.bz2", "a.txt.xz", "a.tgz"])
def test_a_bomb_costs_no_more_than_its_bound(tmp_path, name):
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.get(name[-3:].strip("."))
    if name == "a.zip":
        data = zipped(("bomb.txt", ZEROS), ("after.txt", "the cat"))
    elif name == "a.tgz":
        data = gzip.compress(tarred(("bomb.txt", ZEROS)))
    else:
        data = (pack or bz2.compress)(ZEROS)
    settings = ReadingSettings(max_ratio=20)
    if name == "a.zip":
        blocks, remarks = read_bytes(tmp_path, name, data, settings)
        assert blocks == []
        assert told(remarks) == [(Reason.TOO_LARGE, "bomb.txt")]
    else:
        with pytest.raises(SkippedError) as caught:
            read_bytes(tmp_path, name, data, settings)
        assert caught.value.reason == Reason.TOO_LARGE


def test_bombs_in_bombs_share_their_bound(tmp_path):
    data = zipped(("x.txt", b"x" * (8 << 20)))
    for _ in range(3):
        data = zipped(*((f"{n}.zip", data) for n in range(16)))
    blocks, remarks = read_bytes(tmp_path, "a.zip", data, ReadingSettings(max_ratio=20))
    assert sum(len(block.text) for block in blocks) < 4 << 20
    assert Reason.TOO_LARGE in {remark.reason for remark in remarks}
    assert len(remarks) < 20


def test_archives_in_archives_end_at_a_depth(tmp_path):
    data = zipped(("cat.txt", "the cat"))
    for level in range(8):
        data = zipped((f"{level}.zip", data))
    blocks, remarks = read_bytes(tmp_path, "a.zip", data)
    assert blocks == []
    assert [remark.reason for remark in remarks] == [Reason.TOO_LARGE]


def test_too_many_entries_end(tmp_path):
    data = zipped(*((f"{n}.txt", "the cat") for n in range(60)))
    blocks, remarks = read_bytes(tmp_path, "a.zip", data, ReadingSettings(max_entries=50))
    assert len(blocks) == 50
    assert told(remarks) == [(Reason.TOO_LARGE, "50.txt")]


def test_a_dictionary_of_xz_that_needs_a_gigabyte_is_refused(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    data = bytearray(lzma.compress(b"the cat", filters=filters))
    at = data.index(b"\x21\x01", 12)
    data[at + 2] = 36  # 1 GB
    import zlib

    size = (data[12] + 1) * 4
    data[12 + size - 4 : 12 + size] = zlib.crc32(data[12 : 12 + size - 4]).to_bytes(4, "little")
    with pytest.raises(SkippedError) as caught:
        read_bytes(tmp_path, "a.xz", bytes(data))
    assert "cannot be unpacked" in caught.value.detail
