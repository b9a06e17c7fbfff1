"""`edgeembed search` without a query: the app, driven by keys."""

import asyncio
import subprocess
import sys
import threading
import time
import types
from dataclasses import replace

import pytest

pytest.importorskip("textual")
from textual.widgets import Input, OptionList, Static

from edgeembed import Hit
from edgeembed.cli.search import interactive, open_file
from edgeembed.cli.search.interactive import PassageScreen, SearchApp
from edgeembed.cli.search.latest_query import LatestQuery
from edgeembed.results.answers import answers_of
from edgeembed.results.duplicates import fold
from edgeembed.results.highlight import Highlight
from edgeembed_runtime.errors import InputError, StorageError

DEADLINE_S = 30


def answers(query, **fields):
    hits = [
        Hit(
            key=f"{query} {n}",
            score=0.9 - n / 10,
            document=f"Passage {n} on {query}\x1b[31m [bold]. And more.",
            metadata=None,
            before="What came before.",
            after="What came after.",
            **fields,
        )
        for n in range(3)
    ]
    return answers_of(query, fold(hits))


def answering(query):
    yield answers(query)


def drive(steps, answering=answering):
    """Run the app and the steps, which take the app and a pilot; return the app."""
    app = SearchApp(answering, 1234)

    async def session():
        async with app.run_test(size=(80, 30)) as pilot:
            await steps(app, pilot)

    asyncio.run(asyncio.wait_for(session(), DEADLINE_S))
    return app


async def until(pilot, condition):
    while not condition():
        await pilot.pause(0.01)


def keys_of(app):
    return [answer.hit.key for answer in app.answers]


def state(app):
    return str(app.query_one("#state", Static).content)


async def type_text(pilot, text):
    await pilot.press(*("space" if c == " " else c for c in text))


def test_answers_come_as_one_types_and_help_while_nothing_is_typed():
    async def steps(app, pilot):
        assert app.query_one("#help").display
        assert "1,234 passages" in app.query_one("#query", Input).placeholder
        await type_text(pilot, "a cat")
        await until(pilot, lambda: keys_of(app) == ["a cat 0", "a cat 1", "a cat 2"])
        assert not app.query_one("#help").display
        assert state(app).startswith("3 results in ")
        await pilot.press(*["backspace"] * 5)
        await until(pilot, lambda: app.query_one("#help").display)
        assert keys_of(app) == []

    drive(steps)


def test_up_and_down_choose_and_enter_shows_the_whole_passage_and_escape_goes_back():
    async def steps(app, pilot):
        await type_text(pilot, "cat")
        await until(pilot, lambda: keys_of(app) == ["cat 0", "cat 1", "cat 2"])
        assert app.chosen().rank == 1
        await pilot.press("down", "down", "down", "down", "up")
        assert app.chosen().rank == 2
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PassageScreen))
        await pilot.pause()
        text = str(app.screen.query_one(Static).content)
        for part in ("What came before.", "Passage 1 on cat", "[bold]", "What came after."):
            assert part in text
        assert "\x1b" not in text
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, PassageScreen))
        assert app.query_one("#query", Input).has_focus
        assert app.chosen().rank == 2

    drive(steps)


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
def test_escape_and_ctrl_c_leave(key):
    async def steps(app, pilot):
        await type_text(pilot, "cat")
        await pilot.press(key)
        await until(pilot, lambda: not app.is_running)

    app = drive(steps)
    assert (app.return_code, app.failure) == (0, None)


def test_keys_are_taken_while_a_search_is_slow_and_its_answer_is_dropped():
    release, asked = threading.Event(), []

    def slow(query):
        asked.append(query)
        if query == "c":
            release.wait(DEADLINE_S)
        yield answers(query)

    async def steps(app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: asked == ["c"])
        await type_text(pilot, "ats")
        assert app.query_one("#query", Input).value == "cats"
        assert keys_of(app) == []
        release.set()
        await until(pilot, lambda: keys_of(app) == ["cats 0", "cats 1", "cats 2"])
        assert asked == ["c", "cats"]

    drive(steps, slow)


def test_a_search_that_is_refused_is_a_line_and_the_next_key_searches_again():
    def refusing(query):
        if query == "c":
            raise InputError("query: refused\x1b[31m")
        yield answers(query)

    async def steps(app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: "query: refused" in state(app))
        assert "\x1b" not in state(app)
        await pilot.press("a")
        await until(pilot, lambda: keys_of(app) == ["ca 0", "ca 1", "ca 2"])

    drive(steps, refusing)


def test_a_bug_ends_the_app_and_is_handed_on(monkeypatch):
    def broken(query):
        raise ZeroDivisionError
        yield

    async def steps(app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: not app.is_running)

    assert isinstance(drive(steps, broken).failure, ZeroDivisionError)


def test_nothing_found_and_nothing_that_fits_are_said():
    def few(query):
        hits = [answer.hit for answer in answers("dogs", probability=0.1)]
        yield answers_of("zebras", fold(hits)) if query == "c" else []

    async def steps(app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: state(app).startswith("Nothing that fits"))
        await pilot.press("a")
        await until(pilot, lambda: state(app) == "Nothing found.")
        assert not app.query_one("#results", OptionList).display
        await pilot.press("down", "enter", "ctrl+o")
        assert not isinstance(app.screen, PassageScreen)

    drive(steps, few)


def test_the_choice_stays_when_better_highlights_come():
    chosen = threading.Event()
    better = [
        replace(answer, highlight=Highlight(sentence=None, words=())) for answer in answers("c")
    ]

    def twice(query):
        yield answers(query)
        chosen.wait(DEADLINE_S)
        yield better

    async def steps(app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: len(app.answers) == 3)
        await pilot.press("down")
        assert app.chosen().rank == 2
        chosen.set()
        await until(pilot, lambda: app.answers == better)
        assert app.chosen() == better[1]

    drive(steps, twice)


@pytest.mark.parametrize("keys", [("ctrl+o",), ("enter", "o")])
def test_the_file_is_opened(monkeypatch, tmp_path, keys):
    opened = []
    monkeypatch.setattr(interactive, "open_file", opened.append)
    file = tmp_path / "a.md"
    file.write_text("cat")

    def in_file(query):
        metadata = {"source": str(file), "line": 1}
        hit = Hit(key="a#0", score=1.0, document="cat", metadata=metadata)
        yield answers_of(query, fold([hit]))

    async def steps(app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: len(app.answers) == 1)
        await pilot.press(*keys)
        await until(pilot, lambda: opened == [file])

    drive(steps, in_file)


def test_a_file_that_is_gone_is_said():
    async def steps(app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: len(app.answers) == 3)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: len(app._notifications) == 1)

    drive(steps)


# -- the thread that searches ---------------------------------------------------------------------


def test_only_the_last_of_many_queries_is_answered():
    started, release, delivered = threading.Event(), threading.Event(), []

    def answer(query):
        if query == "first":
            started.set()
            release.wait(DEADLINE_S)
        yield query

    latest = LatestQuery(answer, lambda query, result: delivered.append((query, result)))
    latest.ask("first")
    started.wait(DEADLINE_S)
    for query in ("second", "third", "last"):
        latest.ask(query)
    release.set()
    wait_for(lambda: delivered)
    latest.close()
    assert delivered == [("last", "last")]


def test_errors_are_delivered_and_the_thread_lives_on():
    delivered = []

    def answer(query):
        if query == "bad":
            raise InputError("no")
        yield query
        yield query * 2

    latest = LatestQuery(answer, lambda _, result: delivered.append(result))
    latest.ask("bad")
    wait_for(lambda: len(delivered) == 1)
    latest.ask("good")
    wait_for(lambda: len(delivered) == 3)
    latest.close()
    assert isinstance(delivered[0], InputError)
    assert delivered[1:] == ["good", "goodgood"]


def test_closing_waits_for_the_step_and_delivers_nothing_more():
    started, release, delivered = threading.Event(), threading.Event(), []

    def answer(query):
        started.set()
        release.wait(DEADLINE_S)
        yield query

    latest = LatestQuery(answer, lambda *result: delivered.append(result))
    latest.ask("query")
    started.wait(DEADLINE_S)
    threading.Timer(0.05, release.set).start()
    latest.close()
    assert delivered == []


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# -- opening a file -------------------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch):
    """The commands that would have been started."""
    commands = []

    def start(arguments, **_):
        commands.append(arguments)
        return types.SimpleNamespace(wait=lambda: 0)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(open_file.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(open_file.subprocess, "Popen", start)
    return commands


@pytest.mark.parametrize("name", ["a.md", "report.pdf", "-rf", "no suffix"])
def test_a_document_is_shown_by_its_viewer(started, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("cat")
    open_file.open_file((tmp_path / name).relative_to(tmp_path))
    assert started == [["/usr/bin/xdg-open", str(tmp_path / name)]]


@pytest.mark.parametrize("name", ["run.bat", "evil.DESKTOP", "script.py", "link.lnk"])
def test_of_a_program_the_folder_is_shown_and_it_is_not_run(started, tmp_path, name):
    (tmp_path / name).write_text("cat")
    open_file.open_file(tmp_path / name)
    assert started == [["/usr/bin/xdg-open", str(tmp_path)]]


def test_what_cannot_be_opened_is_named(started, tmp_path, monkeypatch):
    with pytest.raises(StorageError, match="expected a file, got nothing"):
        open_file.open_file(tmp_path / "gone.md")
    (tmp_path / "a.md").write_text("cat")
    monkeypatch.setattr(open_file.shutil, "which", lambda _: None)
    with pytest.raises(StorageError, match="xdg-open: expected on the PATH"):
        open_file.open_file(tmp_path / "a.md")


def test_textual_is_not_imported_by_the_command_line():
    code = "import sys, edgeembed.cli.app; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_without_textual_the_extra_is_named(fails, indexed, monkeypatch):
    from edgeembed.cli.search import search

    monkeypatch.setattr(search, "_is_terminal", lambda: True)
    monkeypatch.setitem(sys.modules, "edgeembed.cli.search.interactive", None)
    assert "pip install 'edgeembed[cli]'" in fails("search", "-i", indexed)


def test_on_a_terminal_without_a_query_the_app_runs(run, indexed, monkeypatch):
    from edgeembed.cli.search import search

    shown = []

    def run_interactive(answering, documents):
        shown.append((documents, [len(step) for step in answering("the cat")]))

    monkeypatch.setattr(search, "_is_terminal", lambda: True)
    monkeypatch.setattr(interactive, "run_interactive", run_interactive)
    result = run("search", "-i", indexed, "-k", 2)
    assert result.exit_code == 0, result.stderr
    ((documents, steps),) = shown
    assert documents > 5
    assert steps == [2, 2]
