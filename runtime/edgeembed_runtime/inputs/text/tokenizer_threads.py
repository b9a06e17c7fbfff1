"""The threads of the tokenizers library, which must not be waited for after a fork.

The library keeps its threads for ever, and a child process has none of them. In a child it prints a
warning and goes on without, unless the environment says what to do; and a child would hang if that
asks for threads.
"""

import os

from edgeembed_runtime._internal.forks import follow_forks

_VARIABLE = "TOKENIZERS_PARALLELISM"


class TokenizerThreads:
    """Whether this process may let the tokenizers library use its own threads."""

    def __init__(self) -> None:
        """Nothing has used them yet."""
        self._used = False
        self._inherited = False
        self._set_here = False

    def use(self) -> bool:
        """Whether they may be used now; if so, forks are prepared for from here on."""
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
        """Tell the library what its warning would ask the user to: no threads in the child."""
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
