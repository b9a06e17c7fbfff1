"""Every Python and shell block of the README and of docs/ runs, page by page, as a reader would.

A page's blocks share one namespace and one working directory. Two HTML comments steer this:

    <!-- setup: text_model("path/to/model") -->     Python, run before the next block
    <!-- not run: needs a network -->               before a block that cannot run here

`setup` sees the methods of `StandIns` (conftest.py).
"""

import ast
import asyncio
import gc
import inspect
import re
import shlex
import subprocess
import sys
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from edgeembed.cli.app import app
from helpers.registries import keep_registries

ROOT = Path(__file__).parents[2]
# Needs an environment for each library, where tests/edgeembed/integrations/test_page.py runs it.
ELSEWHERE = ROOT / "docs/how-to/integrations.md"
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").rglob("*.md")} - {ELSEWHERE})]
RUN = ("python", "sh")
SHOWN = ("", "text", "json", "toml")  # formats and output: nothing to run
COMMENT = re.compile(r"<!--\s*(setup|not run):(.*?)-->", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block; `skipped` is the reason why it is not run."""

    language: str
    code: str
    line: int
    setup: str
    skipped: str


def blocks_of(page):
    """The blocks of a page, in order."""
    setup = skipped = ""
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            for kind, text in COMMENT.findall(token.content):
                setup, skipped = (text, skipped) if kind == "setup" else (setup, text.strip())
        elif token.type == "fence":
            yield Block(
                language=token.info.strip(),
                code=token.content,
                line=token.map[0] + 2,
                setup=setup,
                skipped=skipped,
            )
            setup = skipped = ""


def run_python(code, namespace, line=1):
    """Run code that may hold `await` at its top level, with line numbers of the page."""
    tree = ast.increment_lineno(ast.parse(textwrap.dedent(code.strip(" "))), line - 1)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    result = eval(compile(tree, "<block>", "exec", flags=flags), namespace)
    if inspect.iscoroutine(result):
        asyncio.run(result)


class CommandError(Exception):
    """A command of a shell block failed; `line` is its line in the block, from 0."""

    def __init__(self, message, line):
        super().__init__(message)
        self.line = line


def run_shell(code):
    """Run each command: `edgeembed` by itself in this process, anything else by bash."""
    for line, command in enumerate(code.splitlines()):
        words = shlex.split(command, comments=True)
        if not words:
            continue
        if words[0] == "edgeembed" and not set(command.split("#")[0]) & set("|&;<>"):
            done = CliRunner().invoke(app, words[1:])
            status, said = done.exit_code, done.stderr
        else:
            program = ["bash", "-euo", "pipefail", "-c", command]
            ran = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
            status, said = ran.returncode, ran.stderr
        if status:
            raise CommandError(f"`{shlex.join(words)}` exited with {status}: {said}", line)


def failure_of(block, namespace, helpers):
    """Run a block: (line, reason) if it fails, else None."""
    try:
        if block.setup:
            scope = {**namespace, **helpers}
            run_python(block.setup, scope)
            namespace |= {name: scope[name] for name in scope.keys() - helpers.keys()}
        code = helpers["at_server"](block.code)
        if block.language == "python" and not block.skipped:
            run_python(code, namespace, block.line)
        if block.language == "sh" and not block.skipped:
            run_shell(code)
    except CommandError as error:
        return block.line + error.line, str(error)
    except Exception as error:
        frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
        lines = [frame.lineno for frame in frames if frame.filename == "<block>"]
        return lines[-1] if lines else block.line, f"{type(error).__name__}: {error}"
    return None


def run_page(page, stand_ins):
    """Run the blocks of a page; returns how many ran. Fails with one line, PAGE:LINE: reason."""
    helpers = {n: getattr(stand_ins, n) for n in dir(stand_ins) if not n.startswith("_")}
    namespace, ran = {"__name__": "__main__"}, 0
    try:
        for block in blocks_of(page):
            if failed := failure_of(block, namespace, helpers):
                line, reason = failed
                where = f"{page.relative_to(ROOT)}:{line}"
                pytest.fail(f"{where}: {' '.join(reason.split())}", pytrace=False)
            ran += block.language in RUN and not block.skipped
    finally:
        stand_ins.stop()
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            namespace.clear()  # a page's clients of servers are not closed
            gc.collect()
    return ran


@pytest.fixture
def page_folder(tmp_path, monkeypatch):
    """The page's own working directory, home, cache and registries; `edgeembed` on the path."""
    keep_registries(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(scripts), prepend=":")
    for name in ("EDGEEMBED_MODEL", "EDGEEMBED_INDEX", "EDGEEMBED_CACHE", "EDGEEMBED_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


WITH_CODE = [page for page in PAGES if any(b.language in RUN for b in blocks_of(page))]


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # clients of servers, as people use them
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_runs(page, page_folder, stand_ins):
    runnable = [b for b in blocks_of(page) if b.language in RUN]
    skipped = [b for b in runnable if b.skipped]
    assert run_page(page, stand_ins) == len(runnable) - len(skipped)
    # Most of what a page shows is run.
    assert len(skipped) <= max(1, len(runnable) / 2), [
        f"line {b.line}: {b.skipped}" for b in skipped
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_names_its_language(page):
    known = {*RUN, *SHOWN}
    assert [(b.line, b.language) for b in blocks_of(page) if b.language not in known] == []


def test_nearly_all_blocks_run():
    runnable = [b for page in PAGES for b in blocks_of(page) if b.language in RUN]
    assert sum(not b.skipped for b in runnable) > 40


BROKEN = {
    "a name that is gone": ("python", "x = 1\nfrom edgeembed import Decoder\n", 4, "ImportError"),
    "a command that fails": ("sh", "true\nedgeembed inspect nothing\n", 4, "nothing"),
    "an option that is gone": ("sh", "edgeembed inspect nothing --nope\n", 3, "nope"),
    "a shell command": ("sh", "true && false\n", 3, "exited with 1"),
    "a wrong claim": ("python", "assert 1 == 2\n", 3, "AssertionError"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_block_fails_with_page_and_line(name, page_folder, stand_ins, monkeypatch):
    language, code, line, reason = BROKEN[name]
    page = page_folder / "page.md"
    page.write_text(f"# Page\n```{language}\n{code}```\n", encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", page_folder)
    with pytest.raises(pytest.fail.Exception, match=rf"^page\.md:{line}: .*{reason}"):
        run_page(page, stand_ins)
