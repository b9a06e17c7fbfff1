"""Whose work runs next."""

import threading

import pytest

from edgeembed.serve.base.errors import OverloadedError
from edgeembed.serve.base.jobs import Lane
from edgeembed.serve.engine.queue import WorkQueue
from edgeembed.serve.engine.work import Work


class Runner:
    def __init__(self, limit=1, *, joins=False):
        self.limit, self.joins = limit, joins

    def run(self, slices, *, alone):
        raise NotImplementedError


def queue(threads=1, interactive=10.0, bulk=10.0):
    return WorkQueue(threads=threads, bounds={"interactive": interactive, "bulk": bulk})


def work(name, count=1, *, lane: Lane = "interactive", caller="someone", seconds=0.1, runner=None):
    ended = []
    made = Work(
        runner=runner or Runner(),
        inputs=[f"{name}{n}" for n in range(count)],
        caller=caller,
        lane=lane,
        seconds=seconds,
        on_end=ended.append,
    )
    return made, ended


def part_of(queue, spare=False):
    part = queue.take(spare=spare)
    assert part is not None
    return part


def taken(queue, spare=False):
    """The inputs of the next part, which is over at once."""
    part = part_of(queue, spare)
    queue.finished(part)
    return [text for s in part.slices for text in s.work.inputs[s.start : s.stop]]


def test_interactive_work_overtakes_bulk_in_the_middle_of_its_job():
    waiting = queue()
    waiting.put(work("bulk", 3, lane="bulk")[0])
    assert taken(waiting) == ["bulk0"]
    waiting.put(work("quick")[0])
    assert [taken(waiting)[0] for _ in range(3)] == ["quick0", "bulk1", "bulk2"]


def test_callers_take_turns_whoever_has_the_most_work():
    waiting = queue()
    for n in range(3):
        waiting.put(work(f"a{n}-", 2, caller="a", lane="bulk")[0])
    waiting.put(work("b", 2, caller="b", lane="bulk")[0])
    order = [taken(waiting)[0] for _ in range(8)]
    assert order == ["a0-0", "b0", "a0-1", "b1", "a1-0", "a1-1", "a2-0", "a2-1"]


def test_bulk_gets_its_part_however_much_interactive_work_comes():
    waiting = queue(bulk=100, interactive=100)
    waiting.put(work("bulk", 2, lane="bulk")[0])
    waiting.put(work("quick", 40)[0])
    assert "bulk0" in [taken(waiting)[0] for _ in range(17)]


def test_what_is_too_much_is_refused_at_once_and_told_when_to_come_back():
    waiting = queue(interactive=1.0)
    waiting.put(work("first", 9)[0])
    with pytest.raises(OverloadedError, match="busy") as caught:
        waiting.put(work("second", 2)[0])
    assert caught.value.retry_after >= 1
    waiting.put(work("third", 1)[0])
    # Who has nothing waiting is not shut out by who fills the queue.
    waiting.put(work("other", 5, caller="other")[0])
    with pytest.raises(OverloadedError):
        waiting.put(work("another", 9, caller="another")[0])
    assert waiting.waiting_seconds("interactive") == pytest.approx(1.5)


def test_one_job_larger_than_the_bound_is_taken_if_nothing_waits():
    waiting = queue(bulk=0.5)
    waiting.put(work("large", 100, lane="bulk")[0])
    assert taken(waiting) == ["large0"]


def test_the_bound_is_of_time_on_all_threads():
    waiting = queue(threads=4, interactive=1.0)
    for n in range(4):
        waiting.put(work(f"w{n}", 10)[0])
    with pytest.raises(OverloadedError):
        waiting.put(work("more", 1)[0])


def test_dropped_work_neither_runs_nor_counts():
    waiting = queue()
    gone, ended = work("gone", 5)
    waiting.put(gone)
    waiting.put(work("stays", caller="other")[0])
    assert taken(waiting) == ["gone0"]
    waiting.drop(gone)
    assert taken(waiting) == ["stays0"]
    assert waiting.waiting_seconds("interactive") == 0
    assert ended == []


def test_work_ends_once_with_its_last_part():
    waiting = queue()
    made, ended = work("w", 2)
    waiting.put(made)
    first, second = part_of(waiting), part_of(waiting)
    waiting.finished(second)
    assert ended == []
    waiting.finished(first)
    assert ended == [made]


def test_an_error_ends_work_and_the_rest_of_it_does_not_run():
    waiting = queue()
    made, ended = work("w", 5)
    waiting.put(made)
    part = part_of(waiting)
    made.error = ValueError("no")
    waiting.finished(part)
    assert ended == [made]
    assert waiting.waiting_seconds("interactive") == 0


def test_only_the_last_one_that_runs_is_alone():
    waiting = queue(threads=2)
    waiting.put(work("a", 2)[0])
    first, second = part_of(waiting), part_of(waiting)
    assert (first.alone, second.alone) == (False, False)
    waiting.finished(first)
    waiting.finished(second)
    waiting.put(work("b")[0])
    assert part_of(waiting).alone


def test_the_spare_thread_takes_interactive_work_while_bulk_runs():
    waiting = queue()
    waiting.put(work("bulk", 2, lane="bulk")[0])
    under_way = part_of(waiting)
    found = []
    thread = threading.Thread(target=lambda: found.append(taken(waiting, spare=True)), daemon=True)
    thread.start()
    waiting.put(work("quick")[0])
    thread.join(10)
    assert found == [["quick0"]]
    waiting.finished(under_way)


def test_inputs_of_several_requests_run_together_where_that_is_faster():
    waiting, runner = queue(), Runner(4, joins=True)
    waiting.put(work("a", 2, caller="a", runner=runner)[0])
    waiting.put(work("b", 3, caller="b", runner=runner)[0])
    assert taken(waiting) == ["a0", "a1", "b0", "b1"]
    assert taken(waiting) == ["b2"]


def test_a_closed_queue_lets_its_threads_go():
    waiting, found = queue(), []
    thread = threading.Thread(target=lambda: found.append(waiting.take(spare=False)), daemon=True)
    thread.start()
    waiting.close()
    thread.join(10)
    assert found == [None]
