"""Which file names a bundle may use: plain relative names that mean the same on every system."""

import re

from edgeembed_runtime.errors import BundleUnsafeError

_PART = re.compile(r"[A-Za-z0-9._-]{1,100}")
# Names that Windows gives to devices, whatever the ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


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
