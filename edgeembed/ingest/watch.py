"""Watches folders and yields the changed files, one burst of changes at a time."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeembed.ingest.discover.found import FoundFile, FoundFiles, place_of
from edgeembed.ingest.discover.rules import WalkSettings
from edgeembed.ingest.files import scan, scan_below
from edgeembed_runtime.errors import InputError, MissingExtraError, StorageError
from edgeembed_runtime.storage import storage_errors

# A burst ends after this long without changes, or after this long in total. The first is also how
# often the library wakes up when idle.
_QUIET_MS = 200
_BURST_MS = 2000
# With more changes than this some may have been lost, so everything is scanned.
_MANY = 1000
_USUAL = WalkSettings()
# What the library says of a changed file whose name is not UTF-8, and of it no more.
_NOT_UTF_8 = "Unable to decode path"


@dataclass(frozen=True, kw_only=True)
class WatchedFolder:
    """A folder as it was given, and its place."""

    source: Path
    place: str

    def given_path(self, place: str) -> Path | None:
        """A place below the folder as a path relative to how it was given; None if not below."""
        inside = place.startswith(os.path.join(self.place, ""))  # noqa: PTH118
        return self.source / os.path.relpath(place, self.place) if inside else None


def watched_folders(sources: Iterable[Path]) -> list[WatchedFolder]:
    """The folders to watch.

    Raises:
        InputError: a source is not a folder.
        StorageError: the file system cannot tell whether it is.
    """
    listed = list(sources)
    for source in listed:
        with storage_errors("read", source):
            is_folder, is_there = source.is_dir(), source.exists()
        if not is_folder:
            found = "a file; watch the folder that it is in" if is_there else "nothing"
            raise InputError(f"{source}: expected a folder to watch, found {found}")
    return [WatchedFolder(source=source, place=place_of(source)) for source in listed]


def watch(
    folders: Sequence[WatchedFolder], index: Path, settings: WalkSettings = _USUAL
) -> Iterator[FoundFiles]:
    """Yield files to index: first all, then what changed, in bursts, forever.

    Changes made while the caller works come with the next burst.

    Args:
        folders: the folders, watched recursively.
        index: the index directory, whose own changes are ignored.
        settings: which files are taken.

    Raises:
        InputError: a folder no longer exists.
        MissingExtraError: watchfiles is not installed.
        StorageError: the system cannot watch.
    """
    own = os.path.realpath(index)
    while True:
        is_first, was = True, _identities(folders)
        for changed in _bursts([folder.place for folder in folders], own):
            # A folder that was replaced by another must be watched again.
            if _identities(folders) != was or any(folder.place in changed for folder in folders):
                break
            if is_first or len(changed) > _MANY or _reaches_far(changed, settings):
                yield scan([folder.source for folder in folders], settings)
            elif changed:
                yield from _scanned_below(folders, changed, settings)
            is_first = False


def _identities(folders: Sequence[WatchedFolder]) -> list[tuple[int, int]]:
    identities: list[tuple[int, int]] = []
    for folder in folders:
        try:
            status = folder.source.stat()
        except OSError as error:
            raise InputError(
                f"{folder.source}: expected the folder that is watched, got {error.strerror}; what "
                f"the index has of it stays"
            ) from error
        identities.append((status.st_dev, status.st_ino))
    return identities


def _reaches_far(changed: set[str], settings: WalkSettings) -> bool:
    """Whether changes may be about files in other places: by new rules, or behind links."""
    if settings.follow_links and changed:
        return True
    names = {os.path.basename(name) for name in settings.rules_files}  # noqa: PTH119
    return any(os.path.basename(place) in names for place in changed)  # noqa: PTH119


def _scanned_below(
    folders: Sequence[WatchedFolder], changed: set[str], settings: WalkSettings
) -> Iterator[FoundFiles]:
    for folder in folders:
        given = [folder.given_path(place) for place in sorted(changed)]
        found = scan_below(folder.source, [path for path in given if path is not None], settings)
        if found.scanned:
            yield found


def _bursts(places: Sequence[str], own: str) -> Iterator[set[str]]:
    """Yield sets of changed places; an empty one at the start and whenever nothing changed.

    Ends when a name changed that the library cannot say: then all is to be looked through.
    """
    try:
        import watchfiles
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra("watching folders", "watch") from error

    below_own = os.path.join(own, "")  # noqa: PTH118
    try:
        for changes in watchfiles.watch(
            *places,
            watch_filter=None,
            debounce=_BURST_MS,
            step=_QUIET_MS,
            rust_timeout=_QUIET_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        ):
            # The library follows links, and may report a path through one.
            changed = {FoundFile(path=Path(path), name="").place for _, path in changes}
            yield {place for place in changed if not f"{place}{os.sep}".startswith(below_own)}
    except (OSError, RuntimeError) as error:
        if str(error).startswith(_NOT_UTF_8):
            return
        raise StorageError(
            f"could not watch {', '.join(places)}: {error}; on Linux the limit is "
            f"fs.inotify.max_user_watches"
        ) from error
