"""Saying what is wrong in a manifest: the place, what was expected, what was found."""

from edgeembed_runtime.errors import BundleCorruptError


def expect(right: bool, where: str, expected: str, found: object) -> None:
    """Raise BundleCorruptError, naming the place in the manifest, unless `right`."""
    if not right:
        raise BundleCorruptError(f"manifest: {where}: expected {expected}, got {found!r:.200}")
