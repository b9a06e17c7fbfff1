"""API keys: who calls, told by a key that is compared in constant time."""

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors

_MIN_LENGTH = 16


class Keys:
    """The keys of a file, as SHA-256 digests by name."""

    def __init__(self, digests: Mapping[str, bytes]) -> None:
        """Use `Keys.of_file`."""
        self._digests = digests

    @classmethod
    def of_file(cls, path: Path) -> "Keys":
        """Read lines "NAME KEY"; empty ones and those that begin with # say nothing.

        Raises:
            InputError: a line is none, a key is short or a name is there twice.
            StorageError: the file cannot be read.
        """
        with storage_errors("read", path):
            data = path.read_bytes()
        digests: dict[str, bytes] = {}
        try:
            lines = data.decode("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: expected UTF-8, got {error.reason}") from error
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            # Never the line itself: it may have a key.
            if len(words) != 2 or len(words[1]) < _MIN_LENGTH:
                raise InputError(
                    f"{path}: line {number}: expected NAME KEY, the key of {_MIN_LENGTH} "
                    "characters or more"
                )
            name, key = words
            if name in digests:
                raise InputError(
                    f"{path}: line {number}: expected each name once, got {name} twice"
                )
            digests[name] = _digest(key)
        if not digests:
            raise InputError(f"{path}: expected a line NAME KEY at least, got none")
        return cls(digests)

    def name_of(self, headers: Mapping[str, str]) -> str | None:
        """The name of the key in a request's headers; None without a valid one.

        Taken are "Authorization: Bearer KEY", "x-api-key: KEY" and "api-key: KEY".
        """
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            given = headers.get("x-api-key") or headers.get("api-key") or ""
        digest = _digest(given.strip())
        found = None
        for name, known in self._digests.items():  # all of them, so that time tells nothing
            if hmac.compare_digest(digest, known):
                found = name
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
