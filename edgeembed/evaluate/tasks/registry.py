"""The registry of tasks: which kinds there are, what data each recognizes, and how to open it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgeembed.evaluate.datasets.table import Table, read_table
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.task import Task
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import EdgeEmbedError, InputError
from edgeembed_runtime.storage import storage_errors

_MEMBERS = ("name", "kind", "metric", "is_quality", "fingerprint", "observe", "score", "details")


@dataclass(frozen=True, kw_only=True)
class TaskSource:
    """A data set to open as a task.

    `reference` is the model that others are compared with; `seed` is for folds, clusters and draws.
    """

    path: Path
    reference: Model
    seed: int


TaskOpener = Callable[[TaskSource], Task]


def _never(_: Any) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class TaskKind:
    """A registered kind of task; see `register_task`."""

    name: str
    opener: TaskOpener
    matches_path: Callable[[Path], bool]
    matches_table: Callable[[Table], bool]
    bundled: Path | None

    def open(self, source: TaskSource) -> Task:
        """Open a data set as a task of this kind.

        Raises:
            InputError: the data cannot be used, or the opener fails or returns something else.
            StorageError: a file cannot be read.
        """
        try:
            task: object = self.opener(source)
        except (EdgeEmbedError, ImportError):
            raise
        except Exception as error:
            raise InputError(
                f"{source.path}: expected the opener of {self.name!r} to return a task, got "
                f"{type(error).__name__}: {first_line(error)}"
            ) from error
        missing = [name for name in _MEMBERS if not _has(task, name)]
        if missing:
            raise InputError(
                f"{source.path}: expected the opener of {self.name!r} to return a task, got "
                f"{type(task).__name__} without {', '.join(missing)}"
            )
        return task  # pyright: ignore[reportReturnType]  # it has every member of a Task


_kinds: dict[str, TaskKind] = {}


def register_task(
    kind: str,
    *,
    matches_path: Callable[[Path], bool] = _never,
    matches_table: Callable[[Table], bool] = _never,
    bundled: Path | None = None,
) -> Callable[[TaskOpener], TaskOpener]:
    """Register the decorated function as what opens data sets as tasks of `kind`.

    People choose a kind with "kind:path". A path alone must be recognized by exactly one kind.

    Args:
        kind: the name, different from every other kind's.
        matches_path: whether a file or folder is of this kind, from its name or its first bytes.
        matches_table: whether a table is, from its columns; asked only where no path matches.
        bundled: a folder of data sets that the name alone stands for.

    Raises:
        InputError: the name is registered already.
    """
    if kind in _kinds:
        raise InputError(f"task kind {kind!r}: expected a new name, got one that is registered")

    def register(opener: TaskOpener) -> TaskOpener:
        _kinds[kind] = TaskKind(
            name=kind,
            opener=opener,
            matches_path=matches_path,
            matches_table=matches_table,
            bundled=bundled,
        )
        return opener

    return register


def registered_tasks() -> Mapping[str, TaskKind]:
    """Every registered kind by name, in the order of registration."""
    return MappingProxyType(_kinds)


def kind_of_path(path: Path) -> TaskKind | None:
    """The kind that recognizes a file or folder as it is; None if none does.

    Raises:
        InputError: more than one does.
        StorageError: it cannot be read.
    """
    with storage_errors("read", path):
        return _only(path, [kind for kind in _kinds.values() if kind.matches_path(path)])


def kind_of_file(path: Path) -> TaskKind:
    """The kind that recognizes a file, or else its columns.

    Raises:
        InputError: none does, or more than one.
        StorageError: it cannot be read.
    """
    if found := kind_of_path(path):
        return found
    table = read_table(path)
    if found := _only(path, [kind for kind in _kinds.values() if kind.matches_table(table)]):
        return found
    raise InputError(
        f"{path}: cannot tell its kind from its columns, {', '.join(table.fields)}; put a kind "
        f"before it, such as bitext:{path.name}"
    )


def _only(path: Path, found: list[TaskKind]) -> TaskKind | None:
    if len(found) > 1:
        names = [kind.name for kind in found]
        raise InputError(
            f"{path}: expected one kind of task to fit, got {', '.join(names)}; put the kind "
            f"before it, such as {names[0]}:{path.name}"
        )
    return found[0] if found else None


def _has(task: object, member: str) -> bool:
    """Whether a member is there, without computing a property such as a hash of many files."""
    try:
        inspect.getattr_static(task, member)
    except AttributeError:
        return False
    return True
