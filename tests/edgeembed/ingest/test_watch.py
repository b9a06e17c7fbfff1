"""`edgeembed index --watch`, in a process of its own: what changes is in the index soon after."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgeembed import Index
from edgeembed.cli.shared.interrupts import LINE
from edgeembed.ingest.watch import watch, watched_folders

pytestmark = pytest.mark.slow

pytest.importorskip("watchfiles")

# A shell that starts tests in the background makes them deaf to SIGINT; this process is not.
WATCH = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "edgeembed"
from edgeembed.cli import main
main()
"""
PATIENCE_S = 100


class Watcher:
    """A running `edgeembed index --watch --json`."""

    def __init__(self, *arguments):
        command = [sys.executable, "-c", WATCH, "index", *map(str, arguments), "--watch", "--json"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._lines = queue.Queue()
        self.errors = []
        self._threads = [
            threading.Thread(target=self._read_reports),
            threading.Thread(target=lambda: self.errors.extend(self.process.stderr or ())),
        ]
        for thread in self._threads:
            thread.start()

    def _read_reports(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def report(self):
        """The report of the next run; None if there is no more."""
        return self._lines.get(timeout=PATIENCE_S)

    def until(self, condition):
        """Wait for reports until one is there after which a condition holds."""
        while not condition():
            assert self.report() is not None, self.errors

    def end(self):
        """Wait for the end of the process: its exit code and the lines on stderr."""
        code = self.process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()
        return code, "".join(self.errors)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.end()


@pytest.fixture
def start():
    """Start watchers, and end those that are left at the end of the test."""
    started = []

    def begin(*arguments):
        watcher = Watcher(*arguments)
        started.append(watcher)
        return watcher

    yield begin
    for watcher in started:
        if watcher.process.poll() is None:
            watcher.process.kill()
            watcher.end()


def texts(path):
    """Texts by source, of an index that another process writes."""
    with Index.open(path) as index:
        found = index.get(list(index.keys()))
    return {document.metadata["source"]: document.document for document in found}


needs_sigint = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")


@needs_sigint
def test_what_is_created_changed_renamed_and_deleted_is_followed(start, notes, tiny_path, run_json):
    os.chdir(notes)
    (notes / "deep" / "up").symlink_to(notes, target_is_directory=True)
    watcher = start(".", "-m", tiny_path)  # the index lies in the folder
    path = notes / "edgeembed.index"
    assert watcher.report()["indexed"] == 5

    (notes / "new.txt").write_text("A zeppelin flies.")
    watcher.until(lambda: texts(path).get("new.txt") == "A zeppelin flies.")
    hits = run_json("search", "zeppelin", "--mode", "keyword")["hits"]
    assert [hit["key"] for hit in hits] == ["new.txt#0"]

    (notes / "new.txt").write_text("A balloon flies.")
    watcher.until(lambda: texts(path).get("new.txt") == "A balloon flies.")
    (notes / "new.txt").rename(notes / "deep" / "old.txt")
    watcher.until(lambda: "deep/old.txt" in texts(path) and "new.txt" not in texts(path))
    (notes / "deep" / "old.txt").unlink()
    watcher.until(lambda: "deep/old.txt" not in texts(path))

    (notes / ".saved").write_text("The cat was saved as editors save.")
    (notes / ".saved").replace(notes / "cats.md")
    watcher.until(lambda: texts(path)["cats.md"].startswith("The cat was saved"))
    (notes / "trains.txt").unlink()
    (notes / "trains.txt").mkdir()
    (notes / "trains.txt" / "one.txt").write_text("A train.")
    watcher.until(lambda: "trains.txt/one.txt" in texts(path) and "trains.txt" not in texts(path))
    (notes / "trains.txt").rename(notes / "lines")
    watcher.until(lambda: "lines/one.txt" in texts(path))
    shutil.rmtree(notes / "lines")
    watcher.until(lambda: "lines/one.txt" not in texts(path))

    code, errors = watcher.interrupt()
    assert code == 0, errors
    assert errors.splitlines()[-1] == "Stopped watching"
    assert "Traceback" not in errors
    assert run_json("verify", path)["ok"]
    report = run_json("index", ".")
    assert (report["indexed"], report["removed"], report["unchanged"]) == (0, 0, report["files"])


@needs_sigint
def test_a_burst_of_changes_is_one_commit(start, notes, tiny_path):
    watcher = start(notes, "-m", tiny_path, "-i", "i")
    watcher.report()
    with Index.open("i") as index:
        before = index.generation
    (notes.parent / "aside").mkdir()
    for i in range(50):
        (notes.parent / "aside" / f"{i}.txt").write_text(f"the cat {i}")
    (notes.parent / "aside").rename(notes / "in")  # they all come at once
    assert watcher.report()["indexed"] == 50
    with Index.open("i") as index:
        assert index.generation == before + 1
    assert watcher.interrupt()[0] == 0


@needs_sigint
def test_a_file_that_cannot_be_indexed_does_not_end_the_watch(start, notes, tiny_path):
    watcher = start(notes, "-m", tiny_path, "-i", "i")
    watcher.report()
    (notes / "bad.jsonl").write_text("{oops")
    report = watcher.report()
    assert len(report["failed"]) == 1
    (notes / "bad.jsonl").write_text('{"id": "good", "text": "now it is right"}')
    watcher.until(lambda: texts("i").get(f"{notes}/bad.jsonl") == "now it is right")
    code, errors = watcher.interrupt()
    assert code == 0
    assert "bad.jsonl, line 1: expected JSON" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes that are no text")
def test_a_name_that_is_no_text_does_not_end_the_watch(start, notes, tiny_path):
    watcher = start(notes, "-m", tiny_path, "-i", notes / "i")
    watcher.report()
    path = os.path.join(os.fsencode(notes), b"caf\xe9.txt")  # noqa: PTH118
    with open(path, "w") as file:  # noqa: PTH123
        file.write("A zeppelin flies.")
    name = f"{notes}/caf\\xe9.txt"
    watcher.until(lambda: texts(notes / "i").get(name) == "A zeppelin flies.")
    with open(path, "w") as file:  # noqa: PTH123
        file.write("A balloon flies.")
    (notes / "new.txt").write_text("A swan swims.")
    watcher.until(lambda: texts(notes / "i").get(name) == "A balloon flies.")
    watcher.until(lambda: f"{notes}/new.txt" in texts(notes / "i"))
    os.unlink(path)  # noqa: PTH108
    watcher.until(lambda: name not in texts(notes / "i"))


def test_a_watched_folder_that_is_gone_ends_the_watch_and_its_passages_stay(
    start, notes, tiny_path
):
    watcher = start(notes, "-m", tiny_path, "-i", "i")
    watcher.report()
    before = texts("i")
    notes.rename(notes.parent / "elsewhere")
    code, errors = watcher.end()
    assert code == 1
    assert "expected the folder that is watched, got No such file" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert texts("i") == before


def test_a_folder_that_is_deleted_file_by_file_ends_the_watch(start, notes, tiny_path):
    watcher = start(notes, "-m", tiny_path, "-i", "i")
    watcher.report()
    shutil.rmtree(notes)
    code, errors = watcher.end()
    assert code == 1
    assert errors.splitlines()[-1].startswith(f"edgeembed: {notes}: expected the folder")


@needs_sigint
def test_a_folder_that_is_replaced_by_another_is_watched_on(start, notes, tiny_path):
    shutil.copytree(notes, notes.parent / "copy")
    (notes.parent / "copy" / "cats.md").write_text("Other cats.")
    watcher = start(notes, "-m", tiny_path, "-i", "i")
    watcher.report()
    # On Linux one call swaps two folders, so that the name is never without one.
    if not _swap(notes, notes.parent / "copy"):
        pytest.skip("this system cannot swap two folders")
    watcher.until(lambda: texts("i")[f"{notes}/cats.md"] == "Other cats.")
    (notes / "more.txt").write_text("One more.")
    watcher.until(lambda: f"{notes}/more.txt" in texts("i"))
    assert watcher.interrupt()[0] == 0


def _swap(a, b):
    import ctypes

    if sys.platform != "linux":
        return False
    at_cwd, exchange = -100, 2
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    names = os.fsencode(a), os.fsencode(b)
    return renameat2 is not None and not renameat2(at_cwd, names[0], at_cwd, names[1], exchange)


@needs_sigint
def test_ctrl_c_in_the_first_run_says_that_it_is_not_complete(command, notes, tiny_path):
    code = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from edgeembed import Index
from edgeembed.cli import main
Index.upsert = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)
sys.argv[0] = "edgeembed"
main()
"""
    result = command("index", notes, "--watch", "-m", tiny_path, code=code)
    assert result.returncode == 130
    assert result.stderr.decode().splitlines()[-1] == f"edgeembed: {LINE}"


def test_only_folders_are_watched(fails, notes, tiny_path):
    line = fails("index", notes, notes / "cats.md", "--watch", "-m", tiny_path)
    assert "cats.md: expected a folder to watch, found a file" in line
    assert "expected a folder to watch, found nothing" in fails(
        "index", "nowhere", "--watch", "-m", tiny_path
    )
    assert not Path("edgeembed.index").exists()


def test_watching_without_the_library_names_the_extra(fails, notes, tiny_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    line = fails("index", notes, "--watch", "-m", tiny_path)
    assert "watching folders needs the extra 'watch'" in line
    assert "pip install 'edgeembed[watch]'" in line


def test_a_system_that_cannot_watch_is_one_line(fails, notes, tiny_path, monkeypatch):
    import watchfiles

    def refuse(*_, **__):
        raise OSError("OS file watch limit reached.")
        yield

    monkeypatch.setattr(watchfiles, "watch", refuse)
    line = fails("index", notes, "--watch", "-m", tiny_path)
    assert f"could not watch {notes}: OS file watch limit reached." in line


def fake_watch(monkeypatch, *bursts):
    """Let the library report these bursts of paths, after it has begun with none."""
    import watchfiles

    def report(*_, **__):
        for paths in ((), *bursts):
            yield {(watchfiles.Change.modified, str(path)) for path in paths}
        raise KeyboardInterrupt

    monkeypatch.setattr(watchfiles, "watch", report)


def looked(folder, index):
    """What is looked at in each step until Ctrl-C: names of files, places."""
    steps = []
    with pytest.raises(KeyboardInterrupt):
        for found in watch(watched_folders([folder]), index):
            names = sorted(file.path.name for file in found.files)
            steps.append((names, sorted(Path(p).name for p in found.scanned)))
    return steps[1:]


def test_changes_where_no_walk_goes_are_not_looked_at(notes, tmp_path, monkeypatch):
    (notes / "my.index").mkdir()
    (notes / "other.index" / "seg").mkdir(parents=True)
    (notes / "other.index" / "edgeembed.sqlite3").write_bytes(b"")
    (tmp_path / "outside").mkdir()
    (notes / "link").symlink_to(tmp_path / "outside")
    nowhere = [".git/config", ".hidden", "node_modules/readme.md", "my.index/edgeembed.sqlite3"]
    nowhere += ["other.index/seg/1", "link/x.txt", "my.index"]
    fake_watch(monkeypatch, [notes / name for name in nowhere], [tmp_path / "outside" / "x"])
    assert looked(notes, notes / "my.index") == []


def test_what_is_at_and_below_changed_paths_is_looked_at(notes, monkeypatch):
    (notes / "link.txt").symlink_to(notes / "cats.md")
    changed = [notes / name for name in ("cats.md", "deep", "gone.txt", "gone/x.txt", "link.txt")]
    fake_watch(monkeypatch, changed)
    assert looked(notes, notes / "i") == [
        (["cats.md", "soup.txt"], ["cats.md", "deep", "gone.txt", "link.txt", "x.txt"])
    ]


def test_after_very_many_changes_everything_is_looked_at(notes, monkeypatch):
    fake_watch(monkeypatch, [notes / f"{i}.txt" for i in range(2000)])
    assert looked(notes, notes / "i") == [
        (
            ["cats.md", "latin1.txt", "people.jsonl", "picture.png", "soup.txt", "trains.txt"],
            ["notes"],
        )
    ]


@needs_sigint
def test_a_folder_of_images_is_followed(start, tmp_path):
    tiny_images = pytest.importorskip("helpers.tiny_images", reason="needs Pillow")
    bundle = tiny_images.write_image_bundle(tmp_path / "image.bundle")
    folder, path = tmp_path / "photos", tmp_path / "photos.index"
    (folder / "more").mkdir(parents=True)
    tiny_images.photo(seed=1).save(folder / "1.png")
    watcher = start(folder, "-m", bundle, "-i", path)
    assert watcher.report()["encoded"] == 1

    def names():
        with Index.open(path) as index:
            keys = list(index.keys())
        return {Path(key).name for key in keys}

    tiny_images.photo(seed=2).save(folder / "more" / "2.png")
    (folder / "note.txt").write_text("no image")
    watcher.until(lambda: names() == {"1.png", "2.png"})
    (folder / "more" / "2.png").rename(folder / "3.png")
    watcher.until(lambda: names() == {"1.png", "3.png"})
    (folder / "broken.png").write_bytes(b"no image")
    assert any("broken.png" in failure for failure in watcher.report()["failed"])
    (folder / "1.png").unlink()
    watcher.until(lambda: names() == {"3.png"})
    code, errors = watcher.interrupt()
    assert code == 0
    assert "broken.png" in errors
