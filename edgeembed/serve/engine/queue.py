"""Whose work runs next: two lanes, callers in turn, bounded by the seconds that it will take."""

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from queue import SimpleQueue

from edgeembed.serve.base.errors import OverloadedError
from edgeembed.serve.base.jobs import Lane
from edgeembed.serve.engine.work import Part, Slice, Work

# While both lanes wait, every so many parts of interactive work, one of bulk runs.
_INTERACTIVE_IN_A_ROW = 16


class WorkQueue:
    """Work that waits. Thread-safe.

    Interactive work is taken before bulk, even in the middle of a bulk job, because work is taken
    in parts. Within a lane callers take turns, whoever has the most work. One more thread than
    there are CPUs, the spare one, takes interactive work while bulk holds the others.
    """

    def __init__(self, *, threads: int, bounds: Mapping[Lane, float]) -> None:
        """`bounds` are how many seconds of work may wait in each lane."""
        self._threads = threads
        self._bounds = bounds
        self._lock = threading.Lock()
        self._lanes: Mapping[Lane, _Lane] = {"interactive": _Lane(), "bulk": _Lane()}
        self._running: dict[Lane, int] = {"interactive": 0, "bulk": 0}
        self._in_a_row = 0
        self._closed = False
        # Sleeping threads, and what wakes them.
        self._idle = 0
        self._spare_idle = False
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._wake_spare: SimpleQueue[None] = SimpleQueue()

    def put(self, work: Work) -> None:
        """Let work wait for its turn.

        Raises:
            OverloadedError: too much waits already. A caller with nothing waiting may go as far as
                twice the bound, so that one who fills the queue does not shut out the others.
        """
        seconds = work.seconds * len(work.inputs) / self._threads
        with self._lock:
            lane = self._lanes[work.lane]
            waiting = lane.seconds / self._threads
            bound = self._bounds[work.lane]
            if work.caller not in lane.callers:
                bound *= 2
            if lane.callers and waiting + seconds > bound:
                raise OverloadedError(
                    f"the server is busy: {waiting:.1f} s of work are waiting; try again later",
                    retry_after=max(1, math.ceil(waiting - self._bounds[work.lane] / 2)),
                )
            lane.add(work)
            woken = min(self._idle, math.ceil(len(work.inputs) / work.runner.limit))
            self._idle -= woken
            spare = not woken and self._spare_idle and work.lane == "interactive"
            self._spare_idle = self._spare_idle and not spare
        for _ in range(woken):
            self._wake.put(None)
        if spare:
            self._wake_spare.put(None)

    def take(self, *, spare: bool) -> Part | None:
        """Wait for the next part to run; None once the queue is closed."""
        wake = self._wake_spare if spare else self._wake
        while True:
            with self._lock:
                if self._closed:
                    return None
                lane = self._next_lane(spare=spare)
                if lane is not None:
                    return self._part(lane)
                if spare:
                    self._spare_idle = True
                else:
                    self._idle += 1
            wake.get()

    def finished(self, part: Part) -> None:
        """Note that a part ran; tell the works that are over by it."""
        over: list[Work] = []
        with self._lock:
            self._running[part.slices[0].work.lane] -= 1
            for piece in part.slices:
                work = piece.work
                work.done += piece.stop - piece.start
                if work.over or (work.error is None and work.done < len(work.inputs)):
                    continue
                work.over = True
                self._lanes[work.lane].remove(work)
                over.append(work)
        for work in over:
            work.on_end(work)

    def drop(self, work: Work) -> None:
        """Forget the parts of a work that were not begun; it is not told."""
        with self._lock:
            if not work.over:
                work.over = True
                self._lanes[work.lane].remove(work)

    def waiting_seconds(self, lane: Lane) -> float:
        """How long it takes to run what waits in a lane, by estimate."""
        return self._lanes[lane].seconds / self._threads

    def close(self) -> None:
        """Let every thread that takes work return."""
        with self._lock:
            self._closed = True
        for _ in range(self._threads):
            self._wake.put(None)
        self._wake_spare.put(None)

    def _next_lane(self, *, spare: bool) -> Lane | None:
        interactive, bulk = self._lanes["interactive"], self._lanes["bulk"]
        if spare:
            return "interactive" if interactive.callers and self._running["bulk"] else None
        if interactive.callers and (
            not bulk.callers or self._in_a_row < _INTERACTIVE_IN_A_ROW or self._running["bulk"]
        ):
            self._in_a_row += bool(bulk.callers)
            return "interactive"
        if bulk.callers:
            self._in_a_row = 0
            return "bulk"
        return None

    def _part(self, name: Lane) -> Part:
        lane = self._lanes[name]
        slices = [lane.take()]
        runner = slices[0].work.runner
        room = runner.limit - (slices[0].stop - slices[0].start)
        while runner.joins and room > 0 and (more := lane.take_for(runner, room)):
            slices.append(more)
            room -= more.stop - more.start
        alone = not any(self._running.values()) and not any(
            each.callers for each in self._lanes.values()
        )
        self._running[name] += 1
        return Part(slices, alone)


class _Lane:
    """Work of callers in turn, and the seconds that it will take on one thread."""

    def __init__(self) -> None:
        self.callers: OrderedDict[str, deque[Work]] = OrderedDict()
        self.seconds = 0.0

    def add(self, work: Work) -> None:
        self.callers.setdefault(work.caller, deque()).append(work)
        self.seconds += work.seconds * len(work.inputs)

    def take(self) -> Slice:
        """A part of the first work of the caller whose turn it is."""
        work = next(iter(self.callers.values()))[0]
        return self._cut(work, work.runner.limit)

    def take_for(self, runner: object, most: int) -> Slice | None:
        """Up to `most` inputs of the next caller's work, if it is for the same runner."""
        for works in self.callers.values():
            if works[0].runner is runner:
                return self._cut(works[0], most)
            return None
        return None

    def _cut(self, work: Work, most: int) -> Slice:
        start = work.next
        work.next = min(len(work.inputs), start + most)
        self.seconds = max(0.0, self.seconds - work.seconds * (work.next - start))
        works = self.callers[work.caller]
        if not work.waiting:
            works.popleft()
        if works:
            self.callers.move_to_end(work.caller)
        else:
            del self.callers[work.caller]
        return Slice(work, start, work.next)

    def remove(self, work: Work) -> None:
        """Take out what is left of a work."""
        works = self.callers.get(work.caller)
        if not work.waiting or works is None:
            return
        works.remove(work)
        self.seconds = max(0.0, self.seconds - work.seconds * work.waiting)
        work.next = len(work.inputs)
        if not works:
            del self.callers[work.caller]
        if not self.callers:
            self.seconds = 0.0
