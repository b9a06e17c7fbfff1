"""Documents whose only text is their title are found by it; bare headings are not lost."""

import email.message
import json

import pytest

from edgeembed import Encoder
from edgeembed.ingest.discover.found import FoundFile
from edgeembed.ingest.passages import ChunkSettings, PassageReader


def _mail():
    message = email.message.EmailMessage()
    message["Subject"] = "The boiler"
    return message.as_bytes()


@pytest.fixture
def passages_of(tiny_path, tmp_path):
    def passages(name, data):
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        with Encoder.load(tiny_path) as encoder:
            reader = PassageReader(encoder=encoder, chunks=ChunkSettings())
            found = list(reader.read(FoundFile(path=path, name=name)))
        assert [each.reason for each in reader.left_out] == ([] if found else ["empty"])
        return found

    return passages


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.eml", _mail()),
        ("a.html", "<html><head><title>The boiler</title></head><body></body></html>"),
        ("a.md", "---\ntitle: The boiler\n---\n"),
        ("a.md", "# The boiler\n"),
        ("a.tex", "\\documentclass{article}\\title{The boiler}\\begin{document}\\maketitle\n"),
        ("a.tex", "\\section{The boiler}\n"),
        ("a.json", json.dumps([{"title": "The boiler", "text": ""}])),
        ("a.jsonl", json.dumps({"title": "The boiler", "text": "", "id": 3})),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "bytes",
)
def test_a_document_that_is_only_its_title_is_found_by_it(passages_of, name, data):
    (passage,) = passages_of(name, data)
    assert "The boiler" in passage.text
    assert "The boiler" in f"{passage.title} {passage.text}"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.eml", b"X-Mailer: none\n\n"),
        ("a.html", "<html><head><title> </title></head><body></body></html>"),
        ("a.tex", "\\documentclass{article}\n\\begin{document}\n\\end{document}\n"),
        ("a.jsonl", '{"title": "", "text": " "}'),
    ],
)
def test_a_document_without_a_title_is_empty_as_before(passages_of, name, data):
    assert passages_of(name, data) == []


def test_front_matter_alone_is_the_text_at_its_place(passages_of):
    card = "---\r\nauthor: Ann Berg\r\nrating: 5\r\n---\r\n"
    (passage,) = passages_of("a.md", card)
    assert passage.text == "author: Ann Berg\r\nrating: 5"
    assert card[passage.metadata["start"] : passage.metadata["end"]] == passage.text
    assert passage.metadata["line"] == 2
    assert passage.metadata["author"] == "Ann Berg"


def test_a_section_of_latex_without_a_text_is_not_lost(passages_of):
    paper = "\\section{Garden}\n\\section{House}\n\\subsection{Cellar}\nWine.\n\\section{Attic}\n"
    found = [(each.text, each.metadata["headings"]) for each in passages_of("a.tex", paper)]
    assert found == [
        ("Garden", ["Garden"]),
        ("Wine.", ["House", "Cellar"]),
        ("Attic", ["Attic"]),
    ]
