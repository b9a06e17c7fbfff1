"""An assistant asks an index of pictures: by words where the bundle has them, and by example."""

import anyio
import pytest

pytest.importorskip("PIL")
from mcp.client.client import Client

from edgeembed.mcp.indexes import OfferedIndexes
from edgeembed.mcp.server import make_server
from helpers import tiny_images


def album(run, tmp_path, monkeypatch, bundle):
    """The calls that an assistant can make of an index of six pictures by `bundle`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(6):
        tiny_images.photo(80 + number, 60, seed=number // 2).save(f"photos/{number}.png")
    result = run("index", "photos", "--model", bundle, "-i", "album")
    assert result.exit_code == 0, result.stderr
    indexes = OfferedIndexes([tmp_path / "album"])

    def ask(tool, **arguments):
        async def call():
            async with Client(make_server(indexes)) as client:
                return await client.call_tool(tool, arguments)

        return anyio.run(call)

    return indexes, ask


@pytest.fixture
def ask(run, tmp_path, tiny_path, monkeypatch):
    bundle = tiny_images.write_dual_bundle(tmp_path / "dual.bundle", tiny_path)
    indexes, ask = album(run, tmp_path, monkeypatch, bundle)
    yield ask
    indexes.close()


def places(answer):
    assert not answer.is_error, answer.content
    return [each["place"] for each in answer.structured_content["result"]]


def test_words_find_pictures(ask):
    assert sorted(places(ask("search", query="the cat"))) == [f"photos/{n}.png" for n in range(6)]


def test_a_picture_finds_its_like_and_not_itself(ask):
    found = places(ask("find_similar", place="photos/2.png"))
    assert found[0] == "photos/3.png"
    assert "photos/2.png" not in found


def test_a_picture_has_no_text_to_read_and_that_is_said(ask):
    answer = ask("read_passage", place="photos/2.png")
    assert answer.is_error
    assert "'photos/2.png' is a picture" in answer.content[0].text


@pytest.mark.parametrize("place", ["photos/9.png", "photos/../photos/2.png", "photos/2.PNG"])
def test_a_picture_that_was_not_indexed_is_not_looked_for(ask, place):
    for tool in ("find_similar", "read_passage"):
        answer = ask(tool, place=place)
        assert answer.is_error
        assert "place: expected" in answer.content[0].text


def test_the_status_counts_pictures(ask):
    (status,) = ask("index_status").structured_content["result"]
    assert (status["files"], status["sources"]) == (6, ["photos"])


def test_a_model_without_words_says_so(run, tmp_path, monkeypatch):
    bundle = tiny_images.write_image_bundle(tmp_path / "image.bundle")
    indexes, ask = album(run, tmp_path, monkeypatch, bundle)
    answer = ask("search", query="the cat")
    assert answer.is_error
    assert "text" in str(answer.content)
    assert places(ask("find_similar", place="photos/0.png"))[0] == "photos/1.png"
    indexes.close()
