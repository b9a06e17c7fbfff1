"""Overload, deadlines, clients that go away, and who comes first, over HTTP with a held model."""

import threading

from helpers.live_server import served

BULK = {"x-lane": "bulk"}


class Asking(threading.Thread):
    """A request in a thread of its own."""

    def __init__(self, live, texts, headers=None):
        super().__init__(daemon=True)
        self._ask = lambda: live.embed(texts, headers=headers)
        self.answer = None
        self.start()

    def run(self):
        self.answer = self._ask()

    @property
    def status(self):
        self.join(20)
        return self.answer.status


def test_overload_is_refused_at_once_and_every_request_is_answered(tiny_path, gate):
    much = ["the cat sat on the mat " * 6] * 64
    with served(tiny_path, threads=1, queue_s=0.001, interactive_tokens=100_000) as live:
        held = Asking(live, "first")
        gate.wait_for("began")
        waiting = Asking(live, much)
        gate.wait_for("put", 2)
        refused = [live.embed(much) for _ in range(5)]
        for answer in refused:
            assert answer.status == 429
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json["error"]["type"] == "rate_limit_error"
        gate.opened.set()
        assert (held.status, waiting.status) == (200, 200)
        assert live.embed("and now").status == 200


def test_what_waits_past_its_deadline_is_not_run(tiny_path, gate):
    with served(tiny_path, threads=1) as live:
        held = Asking(live, "first")
        gate.wait_for("began")
        late = live.embed("late", headers={"x-deadline-ms": "50"})
        assert late.status == 504
        assert late.json["error"]["code"] == "deadline_exceeded"
        gate.opened.set()
        assert held.status == 200
        assert "late" not in gate.ran
        assert live.embed("now", headers={"x-deadline-ms": "0"}).status == 504


def test_work_of_a_client_that_is_gone_is_dropped(tiny_path, gate):
    with served(tiny_path, threads=1) as live:
        held = Asking(live, "first")
        gate.wait_for("began")
        body = b'{"input": ["gone 0", "gone 1", "gone 2"]}'
        with live.open() as sock:
            sock.sendall(
                b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body
            )
            gate.wait_for("put", 2)
        gate.wait_for("dropped")
        gate.opened.set()
        assert held.status == 200
        assert live.embed("after").status == 200
        assert not any(text.startswith("gone") for text in gate.ran)


def test_a_short_request_overtakes_a_bulk_job_that_is_under_way(tiny_path, gate):
    with served(tiny_path, threads=1) as live:
        bulk = Asking(live, [f"bulk {n}" for n in range(20)], BULK)
        gate.wait_for("began")
        quick = Asking(live, "quick")
        gate.wait_for("began")  # by the spare thread, while the other is held
        assert gate.ran == ["bulk 0", "quick"]
        gate.opened.set()
        assert (bulk.status, quick.status) == (200, 200)


def test_callers_take_turns_by_their_keys(tiny_path, gate, tmp_path):
    keys = tmp_path / "keys.txt"
    keys.write_text("ann aaaaaaaaaaaaaaaa\nbob bbbbbbbbbbbbbbbb\n")
    ann, bob = ({"Authorization": f"Bearer {letter * 16}"} for letter in "ab")
    with served(tiny_path, threads=1, api_key_file=str(keys)) as live:
        first = Asking(live, [f"ann {n}" for n in range(40)], {**ann, **BULK})
        gate.wait_for("began")
        second = Asking(live, [f"bob {n}" for n in range(3)], {**bob, **BULK})
        gate.wait_for("put", 2)
        gate.opened.set()
        assert (first.status, second.status) == (200, 200)
        assert max(gate.ran.index(f"bob {n}") for n in range(3)) < 8


def test_what_is_under_way_when_the_server_stops_is_answered(tiny_path, gate):
    with served(tiny_path, threads=1) as live:
        asked = [Asking(live, f"text {n}") for n in range(4)]
        gate.wait_for("began")
        gate.wait_for("put", 4)
        opener = threading.Timer(0.3, gate.opened.set)
        opener.start()
    assert [each.status for each in asked] == [200] * 4
