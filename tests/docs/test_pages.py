"""The pages hang together: links, navigation, generated pages, and the site itself."""

import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted(DOCS.rglob("*.md")),
]


def tokens_of(page):
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def anchors_of(page):
    """The anchors of a page's headings, as GitHub and the site make them."""
    tokens = tokens_of(page)
    titles = (b.content for a, b in itertools.pairwise(tokens) if a.tag[:1] == "h")
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.lower())) for title in titles}


def links_of(page):
    """Every link and image of a page that leads to a file: (line, path, anchor)."""
    for token in tokens_of(page):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src") or ""
            if target and not re.match(r"[a-z]+:", str(target)):
                path, _, anchor = str(target).partition("#")
                yield token.map[0] + 1 if token.map else 0, path, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    dead = []
    for line, path, anchor in links_of(page):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            dead.append(f"{page.relative_to(ROOT)}:{line}: {path}#{anchor}")
    assert dead == []


def entries(nav):
    for item in nav:
        for value in item.values():
            yield from [value] if isinstance(value, str) else entries(value)


def test_every_page_is_in_the_navigation_once():
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    listed = list(entries(settings["project"]["nav"]))
    pages = [str(page.relative_to(DOCS).as_posix()) for page in DOCS.rglob("*.md")]
    assert sorted(listed) == sorted(pages)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_pages_that_the_source_mentions_exist():
    mentioned = {
        (str(path.relative_to(ROOT)), name)
        for folder in ("edgeembed", "runtime", "converters", "benchmarks", "examples")
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert mentioned
    assert [(path, name) for path, name in mentioned if not (ROOT / name).is_file()] == []


def test_generated_pages_are_up_to_date():
    script = Path(__file__).parent / "generate.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.slow
def test_the_site_builds_without_a_warning():
    pytest.importorskip("zensical", reason="the extra 'docs' builds the site")
    pytest.importorskip("mkdocstrings_handlers", reason="the extra 'docs' builds the site")
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "edgeembed.Encoder.encode" in (ROOT / "site/reference/api/index.html").read_text("utf-8")
