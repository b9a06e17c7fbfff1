"""`edgeembed search` without a query: from a key to the painted results, and how late keys are.

    python benchmarks/search/as_you_type.py

Types questions into the real app, on a terminal that is not shown, over an index of passages of
about 200 tokens. For each key: the time until the results for what stands in the line are painted,
and the time that a tick of the event loop was late while the search ran, which is how long a key
could have waited.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from textual.widgets import Input

from benchmarks.common.model_and_texts import passages
from benchmarks.common.results_file import write_results
from edgeembed import Encoder, Index
from edgeembed.cli.search.interactive import Found, SearchApp
from edgeembed.search.settings import SearchSettings

QUESTIONS = ("open a web page in the browser", "which day of the week is a date")
TICK_S = 0.01


class TimedApp(SearchApp):
    """Notes when the first results of each query are painted, and how late ticks are."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.painted: dict[str, float] = {}
        self.searched: list[float] = []
        self.late: list[float] = []

    def on_search_app_delivered(self, event: SearchApp.Delivered) -> None:
        if isinstance(event.result, Found):
            self.searched.append(event.result.milliseconds)
        self.call_after_refresh(self.note, event.query_text)

    def note(self, query: str) -> None:
        self.painted.setdefault(query, time.perf_counter())

    async def tick(self) -> None:
        while True:
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            self.late.append(time.perf_counter() - due)


async def typed(app: TimedApp, pause_s: float) -> tuple[list[float], int]:
    """Milliseconds of each key until its results are painted, and keys overtaken by the next."""
    times, overtaken = [], 0
    async with app.run_test(size=(100, 40)) as pilot:
        ticking = asyncio.create_task(app.tick())
        line = app.query_one("#query", Input)
        for question in QUESTIONS:
            line.clear()
            await pilot.pause(0.5)
            app.painted.clear()
            began = {}
            for character in question:
                line.insert_text_at_cursor(character)
                began[line.value.strip()] = time.perf_counter()
                await asyncio.sleep(pause_s)
            await pilot.pause(1)
            shown = [query for query in began if query in app.painted]
            times += [(app.painted[query] - began[query]) * 1000 for query in shown]
            overtaken += len(began) - len(shown)
        ticking.cancel()
    return times, overtaken


def measure(encoder: Encoder, texts: list[str], folder: Path, pause_s: float) -> dict[str, float]:
    with Index.create(folder, encoder=encoder) as index:
        for start in range(0, len(texts), 512):
            batch = texts[start : start + 512]
            index.upsert([f"{start + i}#0" for i in range(len(batch))], documents=batch)
    with Index.open(folder, encoder=encoder) as index:
        settings = SearchSettings(context=1)
        settings.run(index, "anything")
        app = TimedApp(lambda query: settings.answer(index, query, encoder), len(index))
        times, overtaken = asyncio.run(typed(app, pause_s))
    late = sorted(each * 1000 for each in app.late)
    return {
        "p50_ms": statistics.median(times),
        "p95_ms": sorted(times)[int(0.95 * len(times))],
        "max_ms": max(times),
        "search_p50_ms": statistics.median(app.searched),
        "keys": len(times),
        "overtaken": overtaken,
        "key_waits_p95_ms": late[int(0.95 * len(late))],
        "key_waits_max_ms": late[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--pause", type=float, default=0.15, help="seconds between two keys")
    parser.add_argument("--sides", nargs="+", default=["default", "static"])
    options = parser.parse_args()
    # The texts repeat after some thousands; with a number, none is a copy of another.
    texts = [f"{number}. {text}" for number, text in enumerate(passages(options.passages))]
    figures = {}
    for side in options.sides:
        name = None if side == "default" else side
        with tempfile.TemporaryDirectory() as folder, Encoder.load(name) as encoder:
            figures[side] = measure(encoder, texts, Path(folder) / "index", options.pause)
        print(side, {name: round(value, 1) for name, value in figures[side].items()})
    print(write_results("as-you-type", {"passages": options.passages, "sides": figures}))


if __name__ == "__main__":
    main()
