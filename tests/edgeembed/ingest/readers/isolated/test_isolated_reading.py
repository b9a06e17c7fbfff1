"""Files read in a process of their own: what it costs when that goes wrong."""

import gc
import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest

from edgeembed.ingest.readers.base.protocol import (
    Block,
    ReadingSettings,
    Reason,
    Remark,
    SkippedError,
    Source,
)
from edgeembed.ingest.readers.isolated.process import ReadingLimits
from edgeembed.ingest.readers.isolated.reading import IsolatedReading
from edgeembed_runtime.errors import MissingExtraError, StorageError

SETTINGS = ReadingSettings(text_field="body")
LIMITS = ReadingLimits(memory=256 << 20, seconds=1)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")


@pytest.fixture(scope="module")
def reading():
    with IsolatedReading(LIMITS, inner="helpers.documents.strange_readers:read_inner") as reading:
        yield reading


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("one\ntwo\n")
    return path


def reader(name):
    return f"helpers.documents.strange_readers:{name}"


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_dead(pid, seconds=10):
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(pid)


@pytest.mark.parametrize("name", ["Lines", "lines"])
def test_blocks_and_remarks_travel_whole(reading, file, name):
    *blocks, remark = reading.read(file, reader(name), SETTINGS, name="inner.txt", depth=2)
    assert blocks == [
        Block(
            text=text,
            place={"line": line},
            part="p",
            title="inner.txt",
            headings=("a", "b"),
            metadata={"tags": ["x"], "depth": 2, "field": "body"},
        )
        for line, text in ((1, "one"), (2, "two"))
    ]
    assert remark == Remark(reason=Reason.SCANNED, where="page 3", detail="why")


def test_one_process_reads_all_files(reading, file):
    pids = {
        block.text
        for _ in range(3)
        for block in reading.read(file, reader("SaysWhichProcess"), SETTINGS)
    }
    assert pids == {str(reading.pid)}


def test_what_is_no_file_is_read_from_a_copy(reading):
    source = Source(
        name="a.txt",
        stream=BytesIO(b"three"),
        size=5,
        settings=SETTINGS,
        read_inner=lambda _: iter(()),
    )
    block, _ = reading.read_source(source, reader("Lines"))
    assert (block.text, block.title) == ("three", "a.txt")


def test_files_within_files_are_read_in_the_process(reading, file):
    assert [b.text for b in reading.read(file, reader("LooksInside"), SETTINGS)] == [
        "inside notes.txt"
    ]


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        pytest.param("Killed", Reason.TOO_LARGE, "the system ended", marks=POSIX),
        pytest.param("Crashes", Reason.DAMAGED, "crashed (SIGSEGV)", marks=POSIX),
        ("Exits", Reason.DAMAGED, "crashed (exit code 3)"),
        ("Hangs", Reason.TOO_LARGE, "no text for 1 s"),
        pytest.param("HangsInC", Reason.TOO_LARGE, "no text for 1 s", marks=POSIX),
        pytest.param("EatsMemory", Reason.TOO_LARGE, "more memory than", marks=LINUX),
        pytest.param("AbortsWithoutMemory", Reason.TOO_LARGE, "more than 256 MB", marks=POSIX),
        ("Raises", Reason.DAMAGED, "error: Error -3 while decompressing data: invalid block type"),
        ("RecursesForEver", Reason.DAMAGED, "nested too deeply"),
    ],
)
def test_a_failure_costs_one_file_and_says_why(reading, file, name, reason, words):
    given = []
    with pytest.raises(SkippedError) as caught:
        given.extend(reading.read(file, reader(name), SETTINGS))
        pytest.fail("it ended well")
    assert caught.value.reason is reason
    assert words in caught.value.detail
    assert "\n" not in str(caught.value)
    assert [b.text for b in reading.read(file, reader("Lines"), SETTINGS) if isinstance(b, Block)]


def test_blocks_before_a_failure_stay(reading, file):
    blocks = reading.read(file, reader("Exits"), SETTINGS)
    assert next(blocks).text == "first"
    with pytest.raises(SkippedError):
        next(blocks)


def test_what_a_reader_says_travels(reading, file):
    with pytest.raises(SkippedError, match="encrypted: a password opens it"):
        list(reading.read(file, reader("Encrypted"), SETTINGS))
    pid = reading.pid
    assert pid is not None
    with pytest.raises(MissingExtraError, match="pip install 'edgeembed\\[documents\\]'"):
        list(reading.read(file, reader("NotInstalled"), SETTINGS))
    assert reading.pid == pid


def test_what_a_library_prints_is_no_message(reading, file):
    assert [b.text for b in reading.read(file, reader("Prints"), SETTINGS)] == ["quiet"]


def test_a_file_that_cannot_be_opened(reading, tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        list(reading.read(tmp_path / "gone.txt", reader("Lines"), SETTINGS))


@POSIX
def test_a_pipe_is_no_file(reading, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="no regular file"):
        list(reading.read(tmp_path / "pipe", reader("Lines"), SETTINGS))


@pytest.mark.skipif(sys.platform != "linux", reason="file names are UTF-8 or UTF-16 elsewhere")
def test_a_name_that_is_not_utf_8(reading, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.txt")
    path.write_text("one")
    block, _ = reading.read(path, reader("Lines"), SETTINGS)
    assert block.title == path.name


def test_the_process_waits_for_its_parent(reading, file):
    blocks = reading.read(file, reader("Endless"), SETTINGS)
    next(blocks)
    counts = []
    while len(counts) < 3 or counts[-1] != counts[-2]:
        time.sleep(0.1)
        counts.append(int(file.read_text() or 0))
    assert 10 < counts[-1] < 30
    blocks.close()


def test_reading_that_is_broken_off_leaves_no_process(reading, file):
    blocks = reading.read(file, reader("Endless"), SETTINGS)
    next(blocks)
    pid = reading.pid
    blocks.close()
    wait_until_dead(pid)


def test_all_blocks_together_have_a_limit_of_time(file):
    reading = IsolatedReading(ReadingLimits(seconds=5, all_seconds=0))
    with pytest.raises(SkippedError, match="took more than 0 s"):
        list(reading.read(file, reader("Endless"), SETTINGS))


def test_a_file_has_only_so_much_text(file):
    few = ReadingSettings(max_unpacked=3 << 20)
    with IsolatedReading(LIMITS) as reading:
        with pytest.raises(SkippedError, match="more than 3 million characters"):
            list(reading.read(file, reader("Endless"), few))
        assert list(reading.read(file, reader("Lines"), few))


@POSIX
def test_a_process_that_was_ended_while_it_waited_costs_no_file(reading, file):
    list(reading.read(file, reader("Lines"), SETTINGS))
    os.kill(reading.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert len(list(reading.read(file, reader("Lines"), SETTINGS))) == 3


@LINUX
def test_a_process_that_has_grown_is_replaced(reading, file):
    (first,) = reading.read(file, reader("Grows"), SETTINGS)
    (second,) = reading.read(file, reader("SaysWhichProcess"), SETTINGS)
    assert first.text != second.text
    wait_until_dead(int(first.text))


def test_the_process_ends_with_its_owner(file):
    reading = IsolatedReading(LIMITS)
    list(reading.read(file, reader("Lines"), SETTINGS))
    pid = reading.pid
    del reading
    gc.collect()
    wait_until_dead(pid)


PARENT = """
import sys, time
from pathlib import Path
from edgeembed.ingest.readers.base.protocol import ReadingSettings
from edgeembed.ingest.readers.isolated.process import ReadingLimits
from edgeembed.ingest.readers.isolated.reading import IsolatedReading
reading = IsolatedReading(ReadingLimits(seconds=int(sys.argv[3])))
reader = "helpers.documents.strange_readers:" + sys.argv[2]
blocks = reading.read(Path(sys.argv[1]), reader, ReadingSettings())
next(blocks)
print(reading.pid, flush=True)
next(blocks)
"""


def parent(file, name, seconds):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, str(file), name, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize(("name", "seconds"), [("Hangs", 60), ("HangsInC", 1)])
def test_the_process_ends_when_its_parent_is_killed(file, name, seconds):
    with parent(file, name, seconds) as process:
        pid = int(process.stdout.readline())
        process.kill()
    wait_until_dead(pid)


@POSIX
def test_ctrl_c_ends_both(file):
    with parent(file, "Hangs", 60) as process:
        pid = int(process.stdout.readline())
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.returncode in (1, -signal.SIGINT, 130)
    wait_until_dead(pid)


def test_a_library_s_name_in_the_folder_is_not_imported(file, monkeypatch):
    (file.parent / "json.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(file.parent)
    with IsolatedReading(LIMITS) as reading:
        assert len(list(reading.read(file, reader("Lines"), SETTINGS))) == 3


def test_without_a_python_to_start(file, monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(SkippedError, match="no Python interpreter"):
        list(IsolatedReading().read(file, reader("Lines"), SETTINGS))


def test_a_relative_path_is_of_the_folder_where_one_is_now(reading, file, monkeypatch):
    list(reading.read(file, reader("Lines"), SETTINGS))  # starts the process
    monkeypatch.chdir(file.parent)
    assert list(reading.read(Path(file.name), reader("Lines"), SETTINGS))
