"""An assistant's calls, by the SDK's own client: in this process, and over standard input."""

import json
import os
import sys

import anyio
import jsonschema
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from edgeembed import Encoder, Index
from edgeembed.mcp.indexes import OfferedIndexes
from edgeembed.mcp.server import make_server
from edgeembed_runtime.errors import InputError
from helpers import tiny_bundle

CODE = '''\
class Uploader:
    def retry(self, name):
        """The cat sat on a mat."""
        return name


def rain():
    return "rain fell in the station"
'''


@pytest.fixture
def paths(run, tmp_path, tiny_path, monkeypatch):
    """An index of code and one of notes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/upload.py").write_text(CODE)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.md").write_text("# Music\n\nMusic played at noon.\n" * 12)
    for folder, index in (("repo", "code"), ("texts", "notes")):
        result = run("index", folder, "--model", tiny_path, "-i", index)
        assert result.exit_code == 0, result.stderr
    return [tmp_path / "code", tmp_path / "notes"]


def asked(server, calls):
    """The results of calls, (tool, arguments) each, by one client."""

    async def ask():
        async with Client(server) as client:
            return [await client.call_tool(tool, arguments) for tool, arguments in calls]

    return anyio.run(ask)


@pytest.fixture
def ask(paths):
    indexes = OfferedIndexes(paths)
    server = make_server(indexes)
    yield lambda *calls: asked(server, calls)
    indexes.close()


def results(answer):
    assert not answer.is_error, answer.content
    return answer.structured_content["result"]


def test_an_index_of_code_is_searched_with_the_weight_for_code(run, paths, own_bundle, tmp_path):
    profile = {"weight": 0.25, "code_weight": 0.75}
    tiny_bundle.edit_manifest(own_bundle, lambda tree: tree.update(search=profile))
    scores = {}
    for name, options in (("of-code", ["--code"]), ("of-texts", [])):
        result = run("index", "repo", *options, "--model", own_bundle, "-i", tmp_path / name)
        assert result.exit_code == 0, result.stderr
        with (
            Encoder.load(own_bundle) as encoder,
            Index.open(tmp_path / name, encoder=encoder) as index,
        ):
            weight = profile["code_weight" if options else "weight"]
            found = index.search("the cat sat on a mat", 10, weight=weight)
        indexes = OfferedIndexes([tmp_path / name])
        scores[name] = [each.score for each in indexes.search("the cat sat on a mat")]
        indexes.close()
        assert scores[name] == [round(hit.score, 4) for hit in found]
    assert scores["of-code"] != scores["of-texts"]


def test_a_question_finds_functions_with_their_places(ask):
    (answer,) = ask(("search", {"query": "the cat sat on a mat", "k": 50}))
    found = results(answer)
    assert {"Uploader.retry", "rain"} <= {each["symbol"] for each in found}
    assert {each["language"] for each in found} == {"Python"}
    assert "repo/upload.py:2" in {each["place"] for each in found}


def test_indexes_are_chosen_by_name_and_filtered(ask):
    notes, none = ask(
        ("search", {"query": "music", "index": "notes"}),
        ("search", {"query": "music", "where": {"language": "Rust"}}),
    )
    assert {each["place"].partition(":")[0] for each in results(notes)} == {"texts/a.md"}
    assert results(none) == []


def test_twins_of_a_function_are_others(ask):
    (answer,) = ask(("find_similar", {"place": "repo/upload.py:2", "k": 50}))
    symbols = {each["symbol"] for each in results(answer)}
    assert "rain" in symbols
    assert "Uploader.retry" not in symbols


def test_a_place_is_read_as_it_was_indexed_with_what_is_around_it(ask):
    whole, part = ask(
        ("read_passage", {"place": "repo/upload.py:1", "after": 50}),
        ("read_passage", {"place": "texts/a.md:1", "index": "notes", "after": 0}),
    )
    text = whole.structured_content["text"]
    assert [line.strip() for line in text.splitlines() if line.strip()] == [
        line.strip() for line in CODE.splitlines() if line.strip()
    ]
    assert not whole.structured_content["more"]
    assert part.structured_content["more"]


def test_the_status_names_indexes_sources_and_models(ask):
    (answer,) = ask(("index_status", {}))
    code, notes = results(answer)
    assert (code["name"], notes["name"]) == ("code", "notes")
    assert code["files"] == 1
    assert code["sources"] == ["repo"]
    assert code["passages"] > 0


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("search", {"query": "x", "index": "others"}, "index: expected one of code, notes"),
        ("search", {"query": "x", "k": 0}, ""),
        ("search", {"query": "x", "mode": "best"}, ""),
        ("search", {}, ""),
        ("search", {"query": "x", "where": {"a": {"$near": 1}}}, "$near"),
        ("find_similar", {"place": "gone.py:1"}, "place: expected a file of the index"),
        ("read_passage", {"place": "repo/upload.py:1", "after": -1}, ""),
        ("read_passage", {"place": "\ud800"}, ""),
    ],
)
def test_what_cannot_be_answered_is_told_in_words(ask, tool, arguments, words):
    (answer,) = ask((tool, arguments))
    assert answer.is_error
    text = " ".join(part.text for part in answer.content)
    assert words in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    "place",
    [
        "/etc/passwd:1",
        "../../etc/passwd",
        "repo/../repo/upload.py:1",
        "./repo/upload.py:1",
        "repo//upload.py:1",
        "repo/UPLOAD.py:1",
        "repo/upload.py\0:1",
        "repo/upload.py\0.md",
        "repo/link.py:1",
        "repo/way/a.md:1",
        "repo/later.py:1",
        "code",
        "repo/",
        "",
        "file:///etc/passwd",
        "repo\\upload.py:1",
    ],
)
def test_nothing_is_read_but_what_was_indexed(ask, paths, place, tmp_path):
    (tmp_path / "repo/link.py").symlink_to("upload.py")
    (tmp_path / "repo/way").symlink_to("../texts")
    (tmp_path / "repo/later.py").write_text("def later(): pass\n")
    for tool in ("read_passage", "find_similar"):
        (answer,) = ask((tool, {"place": place}))
        assert answer.is_error
        assert "expected" in answer.content[0].text
        assert "root:" not in answer.content[0].text


def test_what_is_read_is_what_was_indexed_whatever_is_there_now(ask, paths, tmp_path):
    (tmp_path / "repo/upload.py").unlink()
    (tmp_path / "repo/upload.py").symlink_to("/etc/passwd")
    (answer,) = ask(("read_passage", {"place": "repo/upload.py:1"}))
    assert "class Uploader" in answer.structured_content["text"]


def test_indexes_of_one_bundle_share_its_encoder(paths):
    indexes = OfferedIndexes(paths)
    first, second = (indexes.opened(name) for name in indexes.names)
    assert first.encoder is second.encoder
    assert first.index is not second.index
    indexes.close()
    indexes.close()


def test_tools_say_what_they_take_and_give_and_that_they_only_read(paths):
    with_closing = OfferedIndexes(paths)

    async def listed():
        async with Client(make_server(with_closing)) as client:
            return (await client.list_tools()).tools

    tools = anyio.run(listed)
    with_closing.close()
    assert {tool.name for tool in tools} == {
        *("search", "find_similar", "read_passage", "index_status"),
    }
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert tool.description
        for schema in (tool.input_schema, tool.output_schema or {}):
            jsonschema.Draft202012Validator.check_schema(schema)
        for given in tool.input_schema["properties"].values():
            assert given["description"]


def test_what_tools_give_is_what_their_schemas_say(paths):
    calls = [
        ("search", {"query": "the cat"}),
        ("find_similar", {"place": "repo/upload.py:2"}),
        ("read_passage", {"place": "repo/upload.py:1"}),
        ("index_status", {}),
    ]

    async def listed(server):
        async with Client(server) as client:
            return (await client.list_tools()).tools

    indexes = OfferedIndexes(paths)
    schemas = {
        tool.name: tool.output_schema or False for tool in anyio.run(listed, make_server(indexes))
    }
    for (tool, _), answer in zip(calls, asked(make_server(indexes), calls), strict=True):
        assert not answer.is_error
        jsonschema.validate(answer.structured_content, schemas[tool])
    indexes.close()


def test_two_indexes_of_one_name_are_refused(paths, tmp_path):
    with pytest.raises(InputError, match="index: expected folders of different names, got code"):
        OfferedIndexes([paths[0], tmp_path / "elsewhere" / ".." / "code"])


def test_over_standard_input_nothing_but_the_protocol_is_written(paths):
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "edgeembed", "mcp", *map(str, paths)],
        env={"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    first, second = asked(
        parameters, [("search", {"query": "the cat", "k": 1}), ("index_status", {})]
    )
    assert len(results(first)) == 1
    assert [each["name"] for each in results(second)] == ["code", "notes"]


def test_settings_for_assistants_start_it(run, paths):
    result = run("mcp", paths[0], "--json")
    (settings,) = json.loads(result.stdout)["mcpServers"].values()
    assert settings["command"] == sys.executable
    assert settings["args"] == ["-m", "edgeembed", "mcp", str(paths[0])]
