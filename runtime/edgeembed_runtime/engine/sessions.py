"""The sessions of one graph: of every kind one, opened when it is first needed."""

import threading
from collections.abc import Callable

from edgeembed_runtime.engine.session import Session, SessionSettings

OpenSession = Callable[[SessionSettings], Session]


class Sessions:
    """Sessions by their settings. Any number of threads may ask for one at once."""

    def __init__(self, open_session: OpenSession) -> None:
        """Remember how one is opened."""
        self._open_session = open_session
        self._lock = threading.Lock()
        self._opened: list[tuple[SessionSettings, Session]] = []

    def get(self, settings: SessionSettings) -> Session:
        """The session with these settings.

        Raises:
            EdgeEmbedError: it could not be opened; see `Session`.
        """
        with self._lock:
            for known, session in self._opened:
                if known == settings:
                    return session
            session = self._open_session(settings)
            self._opened.append((settings, session))
            return session
