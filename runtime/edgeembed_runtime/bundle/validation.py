"""Validation of manifest values and of the file names a manifest may list."""

import re

from edgeembed_runtime.errors import BundleCorruptError, BundleUnsafeError

_PART = re.compile(r"[A-Za-z0-9._-]{1,100}")
# Windows reserves these names for devices, whatever the extension.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def expect(valid: bool, where: str, expected: str, value: object) -> None:
    """Require the manifest value at `where` to be valid.

    Raises:
        BundleCorruptError: `valid` is false.
    """
    if not valid:
        raise BundleCorruptError(f"manifest: {where}: expected {expected}, got {value!r:.200}")


def check_name(name: str) -> str:
    """Return `name` if it is a safe relative path of `[A-Za-z0-9._-]` parts joined by `/`.

    Raises:
        BundleUnsafeError: it is absolute, has `..`, another character, or a reserved name.
    """
    for part in name.split("/"):
        if (
            not _PART.fullmatch(part)
            or part.strip(".") == ""
            or part.endswith(".")
            or _RESERVED.fullmatch(part)
        ):
            raise BundleUnsafeError(
                f"file name {name!r:.120}: expected parts of letters, digits, '.', '_' or '-' "
                "joined by '/', inside the bundle; do not use this bundle"
            )
    return name
