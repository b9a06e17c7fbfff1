"""From names on the command line to tasks; importing this module registers the built-in kinds."""

from collections.abc import Sequence
from pathlib import Path

from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks import (
    agreement,
    analogies,
    bias,
    bitext,
    geometry,
    images,
    labels,
    retrieval,
    similarity,
)
from edgeembed.evaluate.tasks.registry import (
    TaskKind,
    TaskSource,
    kind_of_file,
    kind_of_path,
    registered_tasks,
)
from edgeembed.evaluate.tasks.task import Task
from edgeembed_runtime.errors import InputError

BUILT_IN = (
    agreement,
    analogies,
    bias,
    bitext,
    geometry,
    images,
    labels,
    retrieval,
    similarity,
)


def open_tasks(names: Sequence[str], reference: Model, *, seed: int = 0) -> list[Task]:
    """Open data sets: "path", whose kind is recognized from its form, or "kind:path".

    A folder that is no data set itself stands for every file in it. "bias" alone stands for the
    bundled word lists. `reference` is the model that agreement is measured with.

    Raises:
        InputError: nothing is there, its form is unknown, or two tasks have one name.
        StorageError: a file cannot be read.
    """
    tasks = [
        kind.open(TaskSource(path=path, reference=reference, seed=seed))
        for name in names
        for kind, path in _resolve(name)
    ]
    seen: set[tuple[str, str]] = set()
    for task in tasks:
        if (task.kind, task.name) in seen:
            raise InputError(f"tasks: expected different ones, got {task.kind} {task.name} twice")
        seen.add((task.kind, task.name))
    return tasks


def _resolve(name: str) -> list[tuple[TaskKind, Path]]:
    """What a name stands for: data sets and their kinds."""
    kinds = registered_tasks()
    if name in kinds and (bundled := kinds[name].bundled):
        return [(kinds[name], path) for path in sorted(bundled.iterdir())]
    prefix, _, rest = name.partition(":")
    kind = kinds.get(prefix)
    path = Path(rest) if kind else Path(name)
    if not path.exists():
        raise InputError(
            f"task {name}: expected a file or folder, found nothing; a kind may stand before it: "
            f"{', '.join(kinds)}"
        )
    if kind:
        return [(kind, path)]
    if not path.is_dir():
        return [(kind_of_file(path), path)]
    if found := kind_of_path(path):
        return [(found, path)]
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.suffix != ".md"]
    if not files:
        raise InputError(f"task {name}: expected a data set, or a folder of them, found neither")
    return [(kind_of_file(file), file) for file in files]
