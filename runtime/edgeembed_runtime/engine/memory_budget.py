"""A memory limit, enforced by running fewer texts at once."""

from collections.abc import Callable

from edgeembed_runtime.engine.memory import resident_bytes
from edgeembed_runtime.errors import InputError

_MB = 1 << 20
_FIRST_LENGTH = 64
# onnxruntime's arena grows in powers of two, so it may hold twice what a run needs.
_ARENA_SLACK = 2


def threads_within(
    budget_mb: int,
    threads: int,
    *,
    base: int,
    max_tokens: int,
    run: Callable[[int], object],
    what: str = "a text of {} tokens (it takes up to {})",
) -> int:
    """Return how many of `threads` concurrent runs fit in `budget_mb` MB of resident memory.

    Args:
        budget_mb: the limit for the model and its runs, in MB (2**20 bytes).
        threads: the number of threads to use if they all fit.
        base: this process's resident memory in bytes before the model was loaded.
        max_tokens: the length of the longest input.
        run: runs an input of a given length; called with increasing lengths up to `max_tokens`,
            until one exceeds the budget, to measure its memory.
        what: names an input in messages, given its length and the longest one.

    Raises:
        InputError: not even one run of the longest input fits.
    """
    before = resident_bytes()
    length = min(_FIRST_LENGTH, max_tokens)
    while True:
        run(length)
        model, one_run = before - base, max(_MB, _ARENA_SLACK * (resident_bytes() - before))
        fitting = (budget_mb * _MB - model) // one_run
        if fitting < 1:
            raise InputError(
                f"max_memory_mb: expected at least {-(-(model + one_run) // _MB)} for the model "
                f"and {what.format(length, max_tokens)}, got {budget_mb}"
            )
        if length == max_tokens:
            return min(threads, fitting)
        length = min(2 * length, max_tokens)
