"""Profiles: how an encoder shares the machine with other programs."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from edgeembed_runtime.arguments import checked_choice, shown
from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.errors import InputError

Profile = Literal["balanced", "latency", "throughput", "background"]
"""How an encoder shares the machine; see `Encoder.load`."""
PROFILES: tuple[Profile, ...] = get_args(Profile)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How an engine uses the CPU.

    Attributes:
        threads: how many texts of a list run at once.
        single_threads: intra-op threads for a single text.
        spin: whether threads spin while they wait for the next text; if not, only within a run.
        run_in_caller_thread: whether a single text runs in the caller's thread; if not, it waits
            for one of the engine's, so no more than `threads` run at once.
        low_priority: whether the engine's threads yield to other programs.
        max_memory_mb: resident memory for the model and its longest inputs, in MB; limits threads.
    """

    threads: int
    single_threads: int
    spin: bool = False
    run_in_caller_thread: bool = True
    low_priority: bool = False
    max_memory_mb: int | None = None


# A session starts all its threads at once; the engine's own start when first needed.
_MAX_SHARING = 64
# Threads, or megabytes: more than any machine has.
_MOST = 1 << 30


def schedule_for(
    profile: Profile, threads: int | None, max_memory_mb: int | None = None
) -> Schedule:
    """Return a profile's schedule on `threads` threads, or on all CPUs this process may use.

    balanced: a list of texts runs one text per thread; a single text uses all threads. latency: the
    same, with threads spinning between texts, which keeps the CPU busy for some milliseconds after
    each. throughput: always one thread per text, which saves the memory of a second session.
    background: one low-priority thread. A memory limit rules out the second session.

    Raises:
        InputError: the profile is unknown, or a number is not a positive integer.
    """
    profile = checked_choice(profile, PROFILES, "profile")
    for name, number in (("threads", threads), ("max_memory_mb", max_memory_mb)):
        if number is not None and (type(number) is not int or not 1 <= number <= _MOST):
            raise InputError(
                f"{name}: expected 1 or more, or None, and at most {_MOST}, got {shown(number)}"
            )
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
