"""An index folder from a stranger: what lies beside a database is looked at before SQLite is."""

import contextlib
import os
import shutil
import sqlite3
import stat
import struct

import pytest

from edgeembed import EmbeddingCache, Index, IndexSettings
from edgeembed_runtime.errors import EdgeEmbedError, IndexCorruptError, IndexReplacedError

MAGIC = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
PAGE = 4096
DATABASES = ("edgeembed.sqlite3", "writer.lock")
needs_unix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")


def _header(pages, *, sector=512, page=PAGE, records=0):
    fields = struct.pack(">IIIII", records, 1234, pages, sector, page)
    return (MAGIC + fields).ljust(sector, b"\0")


def _super_journal(name, *, signed=True):
    checksum = sum(b - 256 if signed and b > 127 else b for b in name) & 0xFFFFFFFF
    number = struct.pack(">I", 0x40000000 // PAGE + 1)
    return number + name + struct.pack(">II", len(name), checksum) + MAGIC


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "i"
    with Index.create(path, dim=2, settings=IndexSettings(seal_rows=2)) as index:
        index.upsert(["a", "b"], documents=["one", "two"], vectors=[[1, 0], [0, 1]])
        index.upsert(["c"], documents=["three"], vectors=[[1, 1]])
    return path


@pytest.fixture
def path(made, tmp_path):
    return shutil.copytree(made, tmp_path / "i")


def _repair(path):
    Index.repair(path, path.parent / "repaired")


OPENINGS = {
    "r": lambda path: Index.open(path).close(),
    "rw": lambda path: Index.open(path, mode="rw").close(),
    "a": lambda path: Index.open(path, mode="a").close(),
    "repair": _repair,
}
CREATING = {"create": lambda path: Index.create(path, dim=2).close()}


@pytest.mark.parametrize("first_byte", [b"", b"\0"], ids=["hot", "cold"])
@pytest.mark.parametrize("name", ["precious.txt", "pr\xe9cieux.txt"])
@pytest.mark.parametrize("opening", [*OPENINGS, *CREATING])
def test_a_journal_never_makes_sqlite_delete_another_file(path, opening, name, first_byte):
    precious = path.parent / name
    precious.write_text("my thesis")
    pages = (path / DATABASES[0]).stat().st_size // PAGE
    target = os.fsencode(precious)
    for signed in (True, False):
        journal = path / f"{DATABASES[0]}-journal"
        content = first_byte + _header(pages)[len(first_byte) :]
        journal.write_bytes(content + _super_journal(target, signed=signed))
        before = _contents(path)
        with pytest.raises(IndexCorruptError, match=r"sqlite3-journal: names another file"):
            (OPENINGS | CREATING)[opening](path)
        assert precious.read_text() == "my thesis"
        assert _contents(path) == before


def test_a_journal_beside_the_lock_or_an_open_index_is_found_too(path, tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("my thesis")
    trap = _header(0) + _super_journal(os.fsencode(precious))
    (path / "writer.lock-journal").write_bytes(trap)
    with pytest.raises(IndexCorruptError, match=r"writer\.lock-journal: names another file"):
        Index.open(path, mode="rw")
    (path / "writer.lock-journal").unlink()
    with Index.open(path, mode="rw") as index:
        (path / f"{DATABASES[0]}-journal").write_bytes(trap)
        for use in (
            index.compact,
            lambda: index.delete("a"),
            lambda: index.get("a"),
            lambda: index.backup(tmp_path / "copy"),
        ):
            with pytest.raises(IndexCorruptError, match="names another file"):
                use()
        (path / f"{DATABASES[0]}-journal").unlink()
        assert index.delete("a") == 1
    assert precious.exists()


def _fifo(path, target):
    del target
    os.mkfifo(path)


def _folder(path, target):
    del target
    path.mkdir()


def _link(path, target):
    target.write_bytes(_header(1) + b"x" * 5000)
    path.symlink_to(target)


def _dangling_link(path, target):
    path.symlink_to(target)


@needs_unix
@pytest.mark.parametrize("kind", [_fifo, _folder, _link, _dangling_link])
@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("database", DATABASES)
def test_nothing_beside_a_database_is_opened_that_is_no_file(
    path, tmp_path, database, suffix, kind
):
    kind(path / f"{database}{suffix}", tmp_path / "target")
    before = _contents(tmp_path)
    for name, opening in OPENINGS.items():
        if name == "r" and database == "writer.lock":
            opening(path)  # does not lock
        elif name != "repair" or database != "writer.lock":
            with pytest.raises(IndexCorruptError, match=f"{database}{suffix}: expected a regular"):
                opening(path)
    assert _contents(tmp_path) == before


@needs_unix
@pytest.mark.parametrize("name", ["edgeembed.sqlite3", "writer.lock", "f32", "ids"])
@pytest.mark.parametrize("kind", [_fifo, _folder, _link])
def test_no_call_hangs_on_a_special_file_in_the_place_of_one_of_the_index(
    path, tmp_path, name, kind
):
    with Index.open(path, mode="rw") as index:
        file = path / name if name in DATABASES else next((path / "seg").glob(f"*.{name}"))
        file.unlink()
        kind(file, tmp_path / "target")
        with contextlib.suppress(IndexReplacedError):
            assert not index.verify().ok
        with pytest.raises((IndexCorruptError, IndexReplacedError)):
            index.backup(tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
    for opening in OPENINGS.values():
        with contextlib.suppress(EdgeEmbedError):
            opening(path)


@pytest.mark.parametrize(
    "content",
    [_header(1 << 30), _header(100, page=1 << 16), _header(1) + b"x" * 500_000],
    ids=["too many pages", "too large pages", "too long"],
)
def test_a_journal_of_another_database_is_not_played_back(path, content):
    (path / f"{DATABASES[0]}-journal").write_bytes(content)
    size = (path / DATABASES[0]).stat().st_size
    with pytest.raises(IndexCorruptError, match=r"does not belong to edgeembed\.sqlite3"):
        Index.open(path)
    assert (path / DATABASES[0]).stat().st_size == size


@pytest.mark.parametrize("content", [b"", b"\0" * 600, b"x" * 600, MAGIC, _header(3)[:27]])
def test_a_journal_that_means_nothing_does_no_harm(path, content):
    (path / f"{DATABASES[0]}-journal").write_bytes(content)
    with Index.open(path, mode="rw") as index:
        index.upsert(["d"], vectors=[[1, 2]])
        assert len(index) == 4
        assert index.verify().ok


def test_a_log_that_another_program_left_is_refused_and_kept(path):
    with contextlib.closing(sqlite3.connect(path / DATABASES[0])) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM tail")
        connection.commit()
        before = (path / f"{DATABASES[0]}-wal").read_bytes()
        with pytest.raises(IndexCorruptError, match=r"-wal: expected no write-ahead log"):
            Index.open(path)
        assert (path / f"{DATABASES[0]}-wal").read_bytes() == before
    with pytest.raises(IndexCorruptError, match="found one with a write-ahead log"):
        Index.open(path)
    with contextlib.closing(sqlite3.connect(path / DATABASES[0])) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    Index.open(path).close()


@pytest.mark.parametrize("change", ["shorter", "longer"])
def test_a_backup_has_the_bytes_that_the_catalog_lists_or_does_not_appear(path, tmp_path, change):
    with Index.open(path) as index:
        for file in (path / "seg").iterdir():
            sound = file.read_bytes()
            file.write_bytes(sound[:-1] if change == "shorter" else sound + b"x")
            with pytest.raises(IndexCorruptError, match=f"{file.name}: expected {len(sound)} "):
                index.backup(tmp_path / "copy")
            file.write_bytes(sound[:-1] + bytes([sound[-1] ^ 64]))
            with pytest.raises(IndexCorruptError, match="damaged"):
                index.backup(tmp_path / "copy")
            assert [p.name for p in tmp_path.iterdir()] == ["i"]
            file.write_bytes(sound)
        index.backup(tmp_path / "copy")


def test_a_cache_file_is_opened_by_the_same_rules(tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("my thesis")
    EmbeddingCache(tmp_path / "cache.sqlite").close()
    journal = tmp_path / "cache.sqlite-journal"
    journal.write_bytes(_header(1) + _super_journal(os.fsencode(precious)))
    with pytest.raises(EdgeEmbedError, match="names another file"):
        EmbeddingCache(tmp_path / "cache.sqlite")
    journal.unlink()
    log = tmp_path / "cache.sqlite-wal"
    log.unlink(missing_ok=True)
    with contextlib.suppress(NotImplementedError, OSError):
        log.symlink_to(precious)
        with pytest.raises(EdgeEmbedError, match="expected a regular file"):
            EmbeddingCache(tmp_path / "cache.sqlite")
    assert precious.read_text() == "my thesis"


def _contents(folder):
    def content(path):
        mode = path.lstat().st_mode
        return path.read_bytes() if stat.S_ISREG(mode) else stat.S_IFMT(mode)

    return {path.relative_to(folder): content(path) for path in folder.rglob("*")}


def test_a_catalog_with_another_name_elsewhere_is_read_and_never_written(path, tmp_path):
    """As `cp -al` makes them, tools that join equal files, and archives of strangers."""
    theirs = tmp_path / "theirs.sqlite3"
    os.link(path / DATABASES[0], theirs)
    before = theirs.read_bytes()
    with Index.open(path) as index:
        assert len(index) == 3
    for mode in ("rw", "a"):
        with pytest.raises(IndexCorruptError, match=r"edgeembed\.sqlite3: .* hard link"):
            Index.open(path, mode=mode)
    assert theirs.read_bytes() == before
    Index.repair(path, tmp_path / "repaired")
    shutil.copy2(theirs, path / "copy")
    (path / "copy").replace(path / DATABASES[0])
    with Index.open(path, mode="rw") as index:
        index.delete("a")
    assert theirs.read_bytes() == before


def test_no_journal_is_played_back_into_a_catalog_with_another_name(path, tmp_path):
    os.link(path / DATABASES[0], tmp_path / "theirs.sqlite3")
    pages = (path / DATABASES[0]).stat().st_size // PAGE
    (path / f"{DATABASES[0]}-journal").write_bytes(_header(pages - 1))
    before = (tmp_path / "theirs.sqlite3").read_bytes()
    for opening in OPENINGS.values():
        with pytest.raises(IndexCorruptError, match="hard link"):
            opening(path)
    assert (tmp_path / "theirs.sqlite3").read_bytes() == before


@pytest.mark.parametrize("content", [b"\0" * 2000, b"my thesis", MAGIC])
@pytest.mark.parametrize("database", DATABASES)
def test_a_file_of_others_is_no_journal_to_write_over(path, tmp_path, database, content):
    precious = tmp_path / "precious"
    precious.write_bytes(content)
    os.link(precious, path / f"{database}-journal")
    with pytest.raises(IndexCorruptError, match=r"-journal: .* hard link"):
        Index.open(path, mode="rw")
    assert precious.read_bytes() == content


def test_a_lock_or_a_cache_with_another_name_is_refused(path, tmp_path):
    (path / "writer.lock").unlink()
    (tmp_path / "precious").write_bytes(b"")
    os.link(tmp_path / "precious", path / "writer.lock")
    with pytest.raises(IndexCorruptError, match=r"writer\.lock: .* hard link"):
        Index.open(path, mode="rw")
    os.link(tmp_path / "precious", tmp_path / "cache.sqlite3")
    with pytest.raises(EdgeEmbedError, match=r"cache\.sqlite3: .* hard link"):
        EmbeddingCache(tmp_path / "cache.sqlite3")
    assert (tmp_path / "precious").read_bytes() == b""
