"""Logs: a line for each request and each failure, without the texts and the keys."""

import json
import time

import pytest

from edgeembed.serve.engine.runners import TextRunner
from edgeembed.serve.http.logs import LineFormatter, line_of
from helpers.live_server import served

SECRET = "0123456789abcdef"


def logged(capsys, server, *requests):
    """The lines that requests leave behind, each parsed."""
    for request in requests:
        request(server)
    lines = []
    for _ in range(200):
        lines += capsys.readouterr().err.splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        if sum(line["message"] == "request" for line in found) >= len(requests):
            return found
        time.sleep(0.02)
    raise AssertionError(lines)


def test_a_request_is_a_line_without_its_text_and_key(tiny_path, tmp_path, capsys):
    keys = tmp_path / "keys.txt"
    keys.write_text(f"ann {SECRET}\n")
    key = {"Authorization": f"Bearer {SECRET}"}
    with served(tiny_path, log_format="json", api_key_file=str(keys)) as live:
        found = logged(
            capsys,
            live,
            lambda live: live.embed("a private text", headers={**key, "X-Request-Id": "mine"}),
            lambda live: live.embed("a private text", headers={"x-api-key": SECRET[::-1]}),
            lambda live: live.post(f"/v1/embeddings?key={SECRET}", b'{"input": "a private'),
        )
    lines = [line for line in found if line["message"] == "request"]
    assert [line["status"] for line in lines] == [200, 401, 401]
    assert lines[0]["id"] == "mine"
    assert lines[0]["path"] == "/v1/embeddings"
    written = json.dumps(found)
    assert "private" not in written
    assert SECRET not in written
    assert SECRET[::-1] not in written


def test_a_fault_of_the_server_is_a_500_and_a_line_that_says_where(tiny_path, caplog, monkeypatch):
    def fail(self, slices, *, alone):
        raise KeyError("a private text")

    with served(tiny_path) as live:
        monkeypatch.setattr(TextRunner, "run", fail)
        answer = live.embed("a private text")
    assert answer.status == 500
    assert b"private" not in answer.body
    (record,) = [each for each in caplog.records if each.exc_info]
    line = json.loads(LineFormatter("json").format(record))
    assert (line["level"], line["message"]) == ("error", "a run failed")
    assert "KeyError at" in line["exception"]
    assert "test_logs.py" in line["exception"]
    assert "private" not in json.dumps(line)


@pytest.mark.parametrize("kind", ["text", "none"])
def test_other_formats_are_for_people_or_for_nobody(tiny_path, capsys, kind):
    with served(tiny_path, log_format=kind) as live:
        live.embed("the cat")
    written = capsys.readouterr().err
    assert ("request id=" in written) == (kind == "text")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_path_can_neither_begin_a_line_nor_add_a_field_nor_drive_a_terminal(as_json):
    path = "/\r\n12:00:00 info \x1b[31m\x9b31m\u202e\u2028 status=200"
    line = line_of("info", "request", {"path": path, "status": 404}, as_json=as_json).decode()
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    assert not set(line) & set("\x1b\x9b\u202e")
    fields = json.loads(line) if as_json else {}
    if not as_json:
        shown = line.partition("path=")[2]
        fields["path"], end = json.JSONDecoder().raw_decode(shown)
        assert shown[end:] == " status=404\n"
    assert fields["path"] == path
