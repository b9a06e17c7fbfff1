"""`edgeembed search` without a query: answers as one types, in the terminal, by Textual."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from edgeembed.cli.search.latest_query import LatestQuery
from edgeembed.cli.search.open_file import open_file
from edgeembed.cli.search.show_answers import answer_text
from edgeembed.results.answers import Answer, nothing_fits
from edgeembed.results.confidence import NEAREST, NOTHING_FITS
from edgeembed.results.printable import one_line
from edgeembed_runtime.errors import EdgeEmbedError, StorageError

_EXCERPT = 200
_HELP = """Type a question, or what the passage is about, in your own words.

up and down choose a result, Enter shows all of it with what is around it,
Ctrl+O opens the file, Esc or Ctrl+C leaves."""

# Gives the answers of a query: first quickly, then with better highlights.
Answering = Callable[[str], Iterator[Sequence[Answer]]]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The answers of a query, and how long they took in milliseconds."""

    answers: Sequence[Answer]
    milliseconds: float


class PassageScreen(Screen[None]):
    """A whole passage, between its neighbors."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "app.pop_screen", "Back"),
        Binding("o,ctrl+o", "app.open", "Open file"),
    ]

    def __init__(self, answer: Answer) -> None:
        """Show this answer."""
        super().__init__()
        self.answer = answer

    def compose(self) -> ComposeResult:
        """The passage, which scrolls, and the keys."""
        with VerticalScroll(id="passage"):
            yield Static(answer_text(self.answer, limit=None))
        yield Footer()


class SearchApp(App[None]):
    """A line to type in, and the results below it."""

    TITLE: str | None = "edgeembed search"
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    CSS: ClassVar[str] = """
    #query { margin: 1 1 0 1; }
    #state { padding: 0 2; color: $text-muted; height: auto; }
    #results { border: none; padding: 0 1; height: 1fr; background: $background; }
    #help { padding: 1 2; color: $text-muted; }
    #passage { padding: 1 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", "Up", show=False),
        Binding("down", "choose(1)", "Down", show=False),
        Binding("pageup", "choose(-5)", "Page up", show=False),
        Binding("pagedown", "choose(5)", "Page down", show=False),
        Binding("ctrl+o", "open", "Open file"),
        Binding("escape", "quit", "Leave"),
        Binding("ctrl+c", "quit", "Leave", show=False, priority=True),
    ]

    class Delivered(Message):
        """A step of the answer to a query, from the search thread."""

        def __init__(self, query: str, result: Found | Exception) -> None:
            """Carry a result, or the error in its place."""
            super().__init__()
            self.query_text = query
            self.result = result

    def __init__(self, answering: Answering, documents: int) -> None:
        """Take what answers.

        Args:
            answering: called in the search thread.
            documents: how many are searched.
        """
        super().__init__()
        self.answers: Sequence[Answer] = ()
        self.failure: Exception | None = None
        """A bug that ended the app."""
        self._answering = answering
        self._documents = documents
        self._latest: LatestQuery[Found] | None = None

    def compose(self) -> ComposeResult:
        """The line to type in, the state of the search, the results."""
        count = "1 passage" if self._documents == 1 else f"{self._documents:,} passages"
        yield Input(placeholder=f"Search {count}", id="query")
        yield Static("", id="state", markup=False)
        yield Static(_HELP, id="help", markup=False)
        results = OptionList(id="results", markup=False)
        results.can_focus = False  # keys go to the line
        results.display = False
        yield results
        yield Footer()

    def on_mount(self) -> None:
        """Start the search thread."""
        self._latest = LatestQuery(self._timed, self._deliver)

    def on_unmount(self) -> None:
        """End the search thread."""
        if self._latest is not None:
            self._latest.close()

    def _timed(self, query: str) -> Iterator[Found]:
        began = time.perf_counter()
        took: float | None = None
        for answers in self._answering(query):
            took = (time.perf_counter() - began) * 1000 if took is None else took
            yield Found(answers=answers, milliseconds=took)

    def _deliver(self, query: str, result: Found | Exception) -> None:
        self.post_message(self.Delivered(query, result))

    def on_input_changed(self, event: Input.Changed) -> None:
        """A key was typed: search, without waiting."""
        query = event.value.strip()
        if not query:
            self._show([], "")
        elif self._latest is not None:
            self._latest.ask(query)

    def on_search_app_delivered(self, event: Delivered) -> None:
        """Show what came, unless the line has changed meanwhile."""
        if event.query_text != self.query_one("#query", Input).value.strip():
            return
        result = event.result
        if isinstance(result, EdgeEmbedError):
            self._show([], one_line(str(result)))
        elif isinstance(result, Exception):
            self.failure = result
            self.exit()
        else:
            self._show(result.answers, _state(result))

    def on_input_submitted(self) -> None:
        """Enter: show the chosen passage whole."""
        answer = self.chosen()
        if answer is not None:
            self.push_screen(PassageScreen(answer))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click: the same."""
        event.option_list.highlighted = event.option_index
        self.on_input_submitted()

    def chosen(self) -> Answer | None:
        """The answer that up and down have come to."""
        place = self.query_one("#results", OptionList).highlighted
        return None if place is None or place >= len(self.answers) else self.answers[place]

    def action_choose(self, steps: int) -> None:
        """Move down by so many results, or up."""
        results = self.query_one("#results", OptionList)
        if self.answers:
            place = (results.highlighted or 0) + steps
            results.highlighted = min(max(place, 0), len(self.answers) - 1)

    def action_open(self) -> None:
        """Open the file of the chosen result by the system's viewer."""
        answer = self.chosen()
        if answer is None:
            return
        file = answer.location.file()
        try:
            if file is None:
                raise StorageError(f"{answer.location.name}: there is no such file here")
            open_file(file)
        except StorageError as error:
            self._say(str(error))

    def _say(self, problem: str) -> None:
        self.notify(one_line(problem), severity="error", markup=False)

    def _show(self, answers: Sequence[Answer], state: str) -> None:
        """Fill the list; the choice stays where the results are the same ones."""
        results = self.query_one("#results", OptionList)
        same = [a.hit.key for a in answers] == [a.hit.key for a in self.answers]
        place = results.highlighted if same else 0
        self.query_one("#state", Static).update(state)
        if answers and answers == self.answers:
            return
        far = nothing_fits(answers)
        self.answers = answers
        with self.batch_update():
            results.clear_options()
            results.add_options([Option(_listed(answer, far=far)) for answer in answers])
            results.highlighted = place if answers else None
            results.display = bool(answers)
            self.query_one("#help").display = not self.query_one("#query", Input).value.strip()


def _listed(answer: Answer, *, far: bool) -> Text:
    """The result in the list, with an empty line below."""
    return answer_text(answer, limit=_EXCERPT, neighbors=False, far=far).append("\n")


def _state(found: Found) -> str:
    if not found.answers:
        return "Nothing found."
    if nothing_fits(found.answers):
        return f"{NOTHING_FITS} {NEAREST}"
    return f"{len(found.answers)} results in {found.milliseconds:.0f} ms"


def run_interactive(answering: Answering, documents: int) -> None:
    """Run the app until the user leaves it.

    Raises:
        Exception: what went wrong in it, other than a search that was refused.
    """
    app = SearchApp(answering, documents)
    app.run()
    if app.failure is not None:
        raise app.failure
