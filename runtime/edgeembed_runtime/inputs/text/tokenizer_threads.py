"""Fork safety for the tokenizers library's threads.

The library never stops its threads, and a forked child has none of them. In the child it prints a
warning and continues without, unless an environment variable tells it what to do; if that variable
asks for threads, the child hangs.
"""

import os

from edgeembed_runtime._internal.forks import follow_forks

_VARIABLE = "TOKENIZERS_PARALLELISM"


class TokenizerThreads:
    """Tracks whether this process may use the tokenizers library's threads."""

    def __init__(self) -> None:
        """Start unused."""
        self._used = False
        self._inherited = False
        self._set_here = False

    def use(self) -> bool:
        """Return whether the threads may be used; if so, install the fork hooks."""
        if self._inherited:
            return False
        if not self._used:
            self._used = True
            follow_forks(
                self,
                before=TokenizerThreads._forbid,
                in_parent=TokenizerThreads._allow,
                in_child=TokenizerThreads._give_up,
            )
        return True

    def _forbid(self) -> None:
        """Disable threads in the child, as the library's warning tells users to."""
        if _VARIABLE not in os.environ:
            os.environ[_VARIABLE] = "false"
            self._set_here = True

    def _allow(self) -> None:
        if self._set_here:
            os.environ.pop(_VARIABLE, None)
            self._set_here = False

    def _give_up(self) -> None:
        self._inherited = True


TOKENIZER_THREADS = TokenizerThreads()
