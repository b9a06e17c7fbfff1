"""Profiles: how an encoder shares the machine with everything else on it."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.errors import InputError

Profile = Literal["balanced", "latency", "throughput", "background"]
PROFILES: tuple[Profile, ...] = get_args(Profile)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the processors are used.

    `threads` texts run at once when there are many; one text alone is shared by `single_threads`.
    With `spin` the threads wait busily for the next text, without it only inside a run. Without
    `run_in_caller_thread`, even one text alone waits for one of the engine's own threads, so that
    no more than `threads` run at once; with `low_priority` those give way to other programs. With
    `max_memory_mb` there are as many threads as that allows for the model and its longest inputs.
    """

    threads: int
    single_threads: int
    spin: bool = False
    run_in_caller_thread: bool = True
    low_priority: bool = False
    max_memory_mb: int | None = None


# All threads of a session start at once; the others of an engine when they are first needed.
_MAX_SHARING = 64


def schedule_for(
    profile: Profile, threads: int | None, max_memory_mb: int | None = None
) -> Schedule:
    """The schedule of a profile, on `threads` threads, or all that this process may use.

    balanced: many texts go one to a thread; one text alone gets all threads. latency: the same,
    and threads stay awake between texts, at the cost of a busy processor for some milliseconds
    after each. throughput: one thread to a text always, which saves the memory of a second
    session. background: one thread of low priority. A limit on memory allows no second session.

    Raises:
        InputError: an unknown profile, or a number that cannot be.
    """
    if profile not in PROFILES:
        raise InputError(f"profile: expected one of {', '.join(PROFILES)}, got {profile!r}")
    for name, number in (("threads", threads), ("max_memory_mb", max_memory_mb)):
        if number is not None and (type(number) is not int or number < 1):
            raise InputError(f"{name}: expected 1 or more, or None, got {number!r}")
    schedule = _schedule(profile, threads)
    if max_memory_mb is None:
        return schedule
    return replace(
        schedule, single_threads=1, run_in_caller_thread=False, max_memory_mb=max_memory_mb
    )


def _schedule(profile: Profile, threads: int | None) -> Schedule:
    count = threads or available_cpus()
    single = min(count, _MAX_SHARING)
    match profile:
        case "balanced":
            return Schedule(threads=count, single_threads=single)
        case "latency":
            return Schedule(threads=count, single_threads=single, spin=True)
        case "throughput":
            return Schedule(threads=count, single_threads=1)
        case "background":
            return Schedule(
                threads=threads or 1,
                single_threads=1,
                run_in_caller_thread=False,
                low_priority=True,
            )
