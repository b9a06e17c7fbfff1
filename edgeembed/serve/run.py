"""Runs the server: binds, starts processes, stops without cutting an answer."""

import contextlib
import logging
import socket
import stat
import sys
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

from edgeembed.serve.app import State, create_app
from edgeembed.serve.base.settings import ServeSettings
from edgeembed.serve.http.logs import set_up_logging
from edgeembed.serve.http.protocol import Connections, Limits, protocol_class
from edgeembed.serve.processes import run_processes
from edgeembed_runtime.errors import InputError, StorageError

_LOG = logging.getLogger("edgeembed.serve")
_BACKLOG = 2048
# From a signal to stop until no more connections are accepted: the time in which those who send
# requests learn that they should go elsewhere, and what is on its way arrives.
_DRAIN_S = 0.5
_SOCKET_MODE = 0o660


def serve(settings: ServeSettings) -> None:
    """Serve until a signal says to stop.

    Raises:
        InputError, BundleError: the settings cannot be used.
        StorageError: the address is taken, or there is no permission to use it.
    """
    set_up_logging(settings.log_format)
    _more_files()
    create_app(settings)  # what is wrong with the settings is said before anything runs
    with _bound(settings) as bound:
        _LOG.info("listening on %s", _address(bound))
        if settings.workers == 1:
            run_worker(settings, bound)
        else:
            worker = partial(run_worker, settings)
            run_processes(settings.workers, worker, bound, stop_s=settings.stop_s)


def run_worker(settings: ServeSettings, bound: socket.socket) -> None:
    """Serve in this process, on a socket that listens."""
    set_up_logging(settings.log_format)
    Server(settings).run([bound])


class Server(uvicorn.Server):
    """uvicorn's server of our application, which answers for a moment more when told to stop."""

    should_exit: bool
    force_exit: bool

    def __init__(self, settings: ServeSettings) -> None:
        """See `create_app`, which raises the same."""
        self._state = State()
        self._connections = Connections(
            Limits(
                connections=settings.max_connections,
                idle_s=settings.idle_timeout_s,
                read_s=settings.read_timeout_s,
            )
        )
        self._stop_at: float | None = None
        super().__init__(
            uvicorn.Config(
                create_app(settings, self._state),
                http=protocol_class(self._connections),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=max(1, round(settings.idle_timeout_s)),
                timeout_graceful_shutdown=max(1, round(settings.stop_s)),
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A first signal stops the server, a second one at once."""
        del sig, frame
        if self._stop_at is not None:
            # Ctrl-C reaches a process from the terminal, and again from the one that started it.
            self.should_exit = self.force_exit = time.monotonic() > self._stop_at
            return
        self._stop_at = time.monotonic() + _DRAIN_S
        self._state.stopping = self._connections.stopping = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop."""
        if self._stop_at is not None and time.monotonic() > self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)


@contextlib.contextmanager
def _bound(settings: ServeSettings) -> Generator[socket.socket]:
    """A socket that listens within the block."""
    if settings.uds is None:
        with contextlib.closing(_bind(settings)) as bound:
            yield bound
        return
    path = Path(settings.uds)
    with contextlib.closing(_bind_unix(path)) as bound:
        try:
            yield bound
        finally:
            path.unlink(missing_ok=True)


def _bind(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise StorageError(
            f"--host, --port: could not listen on {settings.host}:{settings.port}: "
            f"{error.strerror or error}; choose another, or stop who does"
        ) from error


def _bind_unix(path: Path) -> socket.socket:
    if sys.platform == "win32":
        raise InputError("--uds: expected a system with Unix sockets; use --host and --port")
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()  # of a server that is gone; one that runs keeps its connections
        bound.bind(str(path))
        path.chmod(_SOCKET_MODE)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise StorageError(f"--uds: could not listen on {path}: {error}") from error
    return bound


def _address(bound: socket.socket) -> str:
    if bound.family not in (socket.AF_INET, socket.AF_INET6):
        return f"unix:{bound.getsockname()}"
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _more_files() -> None:
    """As many open files as are allowed: each connection is one."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
