"""Rules of the user's on which files to take, in the syntax of .gitignore files."""

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgeembed.ingest.discover.patterns import compiled
from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

RULES_FILE = ".edgeembedignore"
_GIT_RULES = (".git/info/exclude", ".gitignore")
# Of a repository, what its authors did not write, or not for people to read.
_NOT_OWN_CODE = (
    *("vendor/", "third_party/", "third-party/", "3rdparty/", "bower_components/", "Pods/"),
    *("dist/", "build/", "out/", "coverage/", "htmlcov/", ".next/", "*.egg-info/"),
    *("*.min.js", "*.min.css", "*.bundle.js", "*.map", "*.snap"),
    *("*.lock", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum"),
    *("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*.pb.go", "*.pb.cc", "*.pb.h", "*.designer.cs"),
)
_MAX_BYTES = 1 << 20
Verdict = Literal["taken", "left out"] | None


@dataclass(frozen=True, kw_only=True)
class WalkSettings:
    """Which files of a folder are taken.

    Attributes:
        include: patterns of files; if there are any, no other file is taken.
        exclude: patterns of files and folders that are left out.
        hidden: whether to take hidden files and folders.
        follow_links: whether to take what links lead to.
        code: whether folders are source code: rules of git hold too, and packed or generated code
            and that of others is left out, unless a rule says otherwise.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    follow_links: bool = False
    code: bool = False

    def __post_init__(self) -> None:
        """Refuse patterns that cannot be used.

        Raises:
            InputError: one of them has no meaning.
        """
        for name, patterns in (("include", self.include), ("exclude", self.exclude)):
            if patterns:
                _spec(patterns, name)

    @property
    def rules_files(self) -> tuple[str, ...]:
        """The files of rules that hold in their folders; a later one is stronger."""
        return (*_GIT_RULES, RULES_FILE) if self.code else (RULES_FILE,)

    @cached_property
    def included(self) -> "GitIgnoreSpec | None":
        """`include`, compiled; None takes everything."""
        return _spec(self.include, "include") if self.include else None

    @cached_property
    def excluded(self) -> "GitIgnoreSpec | None":
        """`exclude`, compiled."""
        return _spec(self.exclude, "exclude") if self.exclude else None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules that hold in a folder: those of the settings, and of the files above it.

    `files` has the path of each rules file's folder below the walked one ("" or "a/b/"), and its
    rules, outermost first. As in git, the innermost file with an opinion decides.
    """

    settings: WalkSettings
    files: tuple[tuple[str, "GitIgnoreSpec"], ...] = field(default=())

    @classmethod
    def outermost(cls, settings: WalkSettings) -> "Rules":
        """The rules in the folder that is walked, but for its own files of rules."""
        files = (("", _spec(_NOT_OWN_CODE, "code")),) if settings.code else ()
        return cls(settings=settings, files=files)

    def inside(self, folder: Path, inner: str, tell: Callable[[str], None]) -> "Rules":
        """The rules in `folder`, whose path below the walked one is `inner` ("" or "a/b/").

        `tell` is called with a message for each line that has no meaning; as in git, the others
        hold.

        Raises:
            OSError: its file of rules cannot be read, and is more than one file could need.
        """
        found = [
            (inner, spec)
            for name in self.settings.rules_files
            if (spec := _rules_in(folder / name, tell)) is not None
        ]
        return Rules(settings=self.settings, files=(*self.files, *found)) if found else self

    def verdict(self, inner: str) -> Verdict:
        """What the user says of a path below the walked folder; that of a folder ends in a slash.

        None: nothing.
        """
        excluded = self.settings.excluded
        if excluded is not None and excluded.match_file(inner):
            return "left out"
        for folder, spec in reversed(self.files):
            included = spec.check_file(inner.removeprefix(folder)).include
            if included is not None:
                return "left out" if included else "taken"
        return None

    def is_chosen(self, inner: str) -> bool:
        """Whether a file is among those to which the user restricts the run, if at all."""
        included = self.settings.included
        return included is None or included.match_file(inner)


def _rules_in(path: Path, tell: Callable[[str], None]) -> "GitIgnoreSpec | None":
    """The rules in a file; None if there is none."""
    try:
        with open_plain_file(path, follow_links=True) as stream:
            data = stream.read(_MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(data) > _MAX_BYTES:
        raise OSError(errno.EFBIG, f"more than {_MAX_BYTES >> 20} MB of rules", str(path))
    # A byte order mark is what editors of Windows put first.
    lines = data.decode("utf-8-sig", "replace").splitlines()
    sound: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            _spec([line], f"{path}, line {number}")
            sound.append(line)
        except InputError as error:
            tell(str(error))
    return _spec(sound, str(path))


def _spec(patterns: Sequence[str], name: str) -> "GitIgnoreSpec":
    try:
        return compiled(patterns)
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra("rules on files", "cli") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{name}: expected patterns as in .gitignore files: {error}") from error
