"""Ctrl-C and SIGTERM: one line on stderr and the end of the process within a second.

The first signal raises KeyboardInterrupt in the main thread, whose `finally` clauses clean up. A
thread that reads the interpreter's wakeup descriptor ends the process by itself if that takes too
long, or if a second signal comes: what is acknowledged is on disk already, and files that are only
half written are removed.
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
import time

TYPE_CHECKING = False  # typing takes longer than all of this; until install() Ctrl-C is not ours
if TYPE_CHECKING:
    import socket
    from types import FrameType
    from typing import NoReturn

LINE = "interrupted; finished work is kept and nothing is half done: run the command again to go on"
# Together less than a second, with the start of a thread between two native calls.
_PATIENCE_S, _CLEANING_S = 0.6, 0.1
_SHOW_CURSOR = b"\r\x1b[?25h"
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def open_closed_descriptors() -> None:
    """Let no file that is opened later become a standard stream.

    A closed stream is opened such that its use fails; but not standard error, where nobody waits
    for anything.
    """
    for descriptor, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, mode)  # the lowest free descriptor is this one


class Interrupted(KeyboardInterrupt):
    """A signal came.

    When a plain KeyboardInterrupt leaves any exec(), CPython remembers that the process has to end
    by SIGINT, whatever becomes of it.
    """


class Interrupts:
    """The signals of one process; `INTERRUPTS` is the only one."""

    def __init__(self) -> None:
        """Nothing is handled before install()."""
        self.signum: int | None = None
        """The signal that came first, unless it was forgiven."""
        self._telling = threading.Lock()
        self._told = threading.Event()
        self._is_over = False
        self._expected: str | None = None
        self._wakeup: tuple[socket.socket, socket.socket] | None = None

    @property
    def code(self) -> int:
        """The exit code that shells give a process that ended by the signal: 130 for Ctrl-C."""
        return 128 + (self.signum or signal.SIGINT)

    def install(self) -> None:
        """Handle the signals from now on, but not those that the parent had ignored, as nohup."""
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)
        open_closed_descriptors()
        import socket  # an import, too, can be interrupted

        self._wakeup = reader, writer = socket.socketpair()
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(
            target=self._watch, args=(reader,), name="edgeembed-interrupts", daemon=True
        ).start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave)

    def first_to_tell(self) -> bool:
        """Whether nobody prints the line yet; whoever gets True has to, and then call told()."""
        return self._telling.acquire(blocking=False)

    def told(self) -> None:
        """The line is printed."""
        self._told.set()

    def expect(self, line: str) -> None:
        """From now on a signal is the usual way to end: with this line, and with 0."""
        self._expected = line

    def forgive(self) -> None:
        """The signal was expected, and the command goes on to its end."""
        self._is_over = True
        self.signum = None

    def over(self) -> None:
        """The command has ended: a signal that comes now ends the process where it is."""
        self._is_over = True

    def leave(self, code: int) -> "NoReturn":
        """End the process; all is told.

        The interpreter's own end would take its time, and nobody could stop it.
        """
        self._is_over = True
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        # Child processes are ended there; the thread sees to it that this takes no longer.
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
        os._exit(code)

    def end_now(self, signum: int | None = None) -> "NoReturn":
        """Tell, remove what is half written, and end the process without its main thread."""
        self.signum = signum or self.signum
        with contextlib.suppress(Exception):  # nothing may keep the process from ending
            # The main thread may hold the locks of sys.stderr.
            if self.first_to_tell() or not self._told.wait(_CLEANING_S):
                cursor = _SHOW_CURSOR if os.isatty(2) else b""
                line = self._expected or f"edgeembed: {LINE}"
                os.write(2, cursor + f"{line}\n".encode())
        with contextlib.suppress(Exception):
            # The main thread may hold the lock of an import.
            storage = sys.modules["edgeembed_runtime.storage"]
            cleaning = threading.Thread(target=storage.remove_stages, daemon=True)
            cleaning.start()
            cleaning.join(_CLEANING_S)
        os._exit(self.code if self._expected is None else 0)

    def _raise(self, signum: int, _: "FrameType | None") -> None:
        if self._wakeup is not None:
            writer = self._wakeup[1]
            # An event loop has its own wakeup descriptor meanwhile.
            if signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False) != writer.fileno():
                with contextlib.suppress(OSError):
                    writer.send(bytes([signum]))
        if self._is_over or self.signum is not None:
            return  # a second one must not disturb the cleaning up
        self.signum = signum
        # Where an exception has no way up, as in a callback of C, Python would print a traceback.
        sys.unraisablehook = lambda _: None
        threading.excepthook = lambda _: None
        raise Interrupted

    def _watch(self, reader: "socket.socket") -> None:
        numbers = {getattr(signal, name, None) for name in _NAMES}
        first, deadline = 0, 0.0
        while True:
            reader.settimeout(max(0.001, deadline - time.monotonic()) if first else None)
            try:
                came = [number for number in reader.recv(64) if number in numbers]
            except TimeoutError:
                if not self._is_over or self.signum is not None:
                    self.end_now(first)
                first = 0  # it was forgiven
                continue
            except OSError:
                return
            if not came:  # another signal, such as the one for a terminal's new size
                continue
            if first or self._is_over or len(came) > 1:
                self.end_now(came[0])
            first, deadline = came[0], time.monotonic() + _PATIENCE_S

    def _leave(self) -> None:
        """In a forked child: the thread is not there, and the descriptors are the parent's."""
        if self._wakeup is not None:
            self._wakeup = None
            signal.set_wakeup_fd(-1)
            for name in _NAMES:
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) == self._raise:
                    signal.signal(number, signal.SIG_DFL)


INTERRUPTS = Interrupts()
