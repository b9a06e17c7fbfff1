"""Who may call."""

import pytest

from edgeembed.serve.http.keys import Keys
from edgeembed_runtime.errors import InputError, StorageError
from helpers.live_server import served

KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def guarded(tiny_path, tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys") / "keys.txt"
    keys.write_text(f"# who may call\n\nann {KEY}\n")
    with served(tiny_path, api_key_file=str(keys)) as live:
        yield live


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Authorization": f"Bearer {KEY}"}, id="bearer"),
        pytest.param({"Authorization": f"bearer {KEY}"}, id="lower case"),
        pytest.param({"x-api-key": KEY}, id="x-api-key"),
        pytest.param({"api-key": KEY}, id="api-key"),
    ],
)
def test_a_valid_key_may_call(guarded, headers):
    assert guarded.embed("the cat", headers=headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Authorization": "Bearer"}, id="no key"),
        pytest.param({"Authorization": "Bearer " + KEY[:-1]}, id="a part of it"),
        pytest.param({"Authorization": f"Basic {KEY}"}, id="another scheme"),
        pytest.param({"x-api-key": "\xff" * 16}, id="other letters"),
    ],
)
def test_without_one_there_is_401_and_no_word_about_keys(guarded, headers):
    answer = guarded.embed("the cat", headers=headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json["error"]["type"] == "authentication_error"
    assert KEY.encode() not in answer.body


def test_a_key_in_the_address_opens_nothing(guarded):
    assert guarded.post(f"/v1/embeddings?api_key={KEY}", {"input": "a"}).status == 401


def test_probes_need_no_key(guarded):
    assert guarded.request("GET", "/live").status == 200
    assert guarded.request("GET", "/ready").status == 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a line NAME KEY at least"),
        ("ann\n", "line 1: expected NAME KEY"),
        ("ann short\n", "16 characters"),
        (f"ann {KEY}\nann {KEY}1\n", "ann twice"),
    ],
)
def test_a_file_of_keys_that_is_none_is_refused_without_telling_keys(tmp_path, text, words):
    path = tmp_path / "keys.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        Keys.of_file(path)
    assert KEY not in str(caught.value)


def test_a_file_of_keys_must_be_there_and_be_text(tmp_path):
    with pytest.raises(StorageError):
        Keys.of_file(tmp_path / "none.txt")
    (tmp_path / "keys.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        Keys.of_file(tmp_path / "keys.txt")
