"""Libraries that talk through the root logger, kept quiet for a moment."""

import logging
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def quiet_logging() -> Generator[None]:
    """Let nothing below an error through, from any logger of this process."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
