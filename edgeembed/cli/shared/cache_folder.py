"""Where commands keep what they can make again."""

from pathlib import Path

import platformdirs

from edgeembed_runtime.errors import StorageError


def cache_folder() -> Path:
    """The folder in this user's cache.

    Raises:
        StorageError: the user has no home folder.
    """
    try:
        return platformdirs.user_cache_path("edgeembed", appauthor=False)
    except RuntimeError as error:
        raise StorageError(
            f"no folder for a cache: {error}; in a container, for example HOME=/tmp"
        ) from error
