"""From what people name on the command line to tasks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgeembed.evaluate.files.images import (
    CAPTIONS,
    SUFFIXES,
    read_captioned_images,
    read_labeled_images,
)
from edgeembed.evaluate.files.judgments import read_beir, read_judged_pairs
from edgeembed.evaluate.files.labels import (
    read_labeled_texts,
    read_plain_texts,
    read_translations,
)
from edgeembed.evaluate.files.pairs import read_scored_pairs
from edgeembed.evaluate.files.table import read_table
from edgeembed.evaluate.files.word_lists import read_analogies, read_association_test
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.agreement import Agreement
from edgeembed.evaluate.tasks.analogies import Analogies
from edgeembed.evaluate.tasks.bias import Bias
from edgeembed.evaluate.tasks.bitext import Bitext
from edgeembed.evaluate.tasks.geometry import Geometry
from edgeembed.evaluate.tasks.images import ImageText, ZeroShot
from edgeembed.evaluate.tasks.kinds import kind_of
from edgeembed.evaluate.tasks.labels import Classification, Clustering
from edgeembed.evaluate.tasks.retrieval import RankedQuery, Reranking, Retrieval
from edgeembed.evaluate.tasks.similarity import Duplicates, Similarity
from edgeembed.evaluate.tasks.task import Task
from edgeembed_runtime.errors import InputError

_WORD_LISTS = Path(__file__).parents[1] / "word_lists"
_Opener = Callable[[Path, Model, int], Task]


def open_tasks(names: Sequence[str], reference: Model, *, seed: int = 0) -> list[Task]:
    """Open what is named: "path", whose kind is seen from its form, or "kind:path".

    A folder that is no data set itself stands for every file in it. "bias" alone stands for the
    word lists that come with edgeembed. `reference` is the model that agreement is measured with.

    Raises:
        InputError: nothing is there, it is of no known form, or two tasks have one name.
        StorageError: a file cannot be read.
    """
    tasks = [task for name in names for task in _open(name, reference, seed)]
    seen: set[tuple[str, str]] = set()
    for task in tasks:
        if (task.kind, task.name) in seen:
            raise InputError(f"tasks: expected different ones, got {task.kind} {task.name} twice")
        seen.add((task.kind, task.name))
    return tasks


def _open(name: str, reference: Model, seed: int) -> list[Task]:
    if name == "bias":
        lists = sorted(_WORD_LISTS.glob("*.json"))
        return [Bias(test=read_association_test(path), seed=seed) for path in lists]
    kind, _, rest = name.partition(":")
    path = Path(rest) if kind in _OPENERS else Path(name)
    if not path.exists():
        raise InputError(
            f"task {name}: expected a file or folder, found nothing; a kind may stand before it: "
            f"{', '.join(_OPENERS)}"
        )
    if kind in _OPENERS:
        return [_OPENERS[kind](path, reference, seed)]
    if path.is_dir() and _kind_of_folder(path) is None:
        files = [file for file in sorted(path.iterdir()) if file.is_file() and file.suffix != ".md"]
        if not files:
            raise InputError(
                f"task {name}: expected a data set, or a folder of them, found neither"
            )
        return [_OPENERS[_kind_of_file(file)](file, reference, seed) for file in files]
    found = _kind_of_folder(path) or _kind_of_file(path)
    return [_OPENERS[found](path, reference, seed)]


def _kind_of_folder(path: Path) -> str | None:
    if (path / "corpus.jsonl").is_file():
        return "retrieval"
    if (path / CAPTIONS).is_file():
        return "image-text"
    if any(file.suffix.lower() in SUFFIXES for file in path.glob("*/*")):
        return "zero-shot"
    return None


def _kind_of_file(path: Path) -> str:
    if path.suffix.lower() == ".json":
        return "bias"
    if path.suffix.lower() == ".txt":
        with path.open("rb") as file:
            start = file.read(4096)
        if start.startswith(b":"):
            return "analogies"
        if b"\t" not in start:
            return "agreement"
    return kind_of(read_table(path))


def _reranking(path: Path, reference: Model, seed: int) -> Task:
    del reference, seed
    table = read_table(path).named("query", "positive", "negative")
    queries = tuple(
        RankedQuery(
            query=table.text(row, "query"),
            positive=tuple(table.texts(row, "positive")),
            negative=tuple(table.texts(row, "negative")),
        )
        for row in table.rows
    )
    for row, item in zip(table.rows, queries, strict=True):
        if not item.positive or not item.negative:
            raise InputError(
                f"{path}, line {row.line}: expected a positive and a negative document or more"
            )
    return Reranking(name=path.stem, queries=queries)


def _duplicates(path: Path, reference: Model, seed: int) -> Task:
    del reference, seed
    pairs = read_scored_pairs(path)
    if set(pairs.scores) != {0.0, 1.0}:
        raise InputError(f"{path}: expected scores of 0 and 1, got {sorted(set(pairs.scores))[:5]}")
    return Duplicates(name=path.stem, pairs=pairs)


def _retrieval(path: Path, reference: Model, seed: int) -> Task:
    del reference, seed
    judgments = read_beir(path) if path.is_dir() else read_judged_pairs(path)
    return Retrieval(name=path.stem, judgments=judgments)


def _bitext(path: Path, reference: Model, seed: int) -> Task:
    del reference, seed
    left, right = read_translations(path)
    return Bitext(name=path.stem, left=left, right=right)


_OPENERS: Mapping[str, _Opener] = {
    "similarity": lambda path, _, __: Similarity(name=path.stem, pairs=read_scored_pairs(path)),
    "duplicates": _duplicates,
    "retrieval": _retrieval,
    "reranking": _reranking,
    "classification": lambda path, _, seed: Classification(
        name=path.stem, data=read_labeled_texts(path), seed=seed
    ),
    "clustering": lambda path, _, seed: Clustering(
        name=path.stem, data=read_labeled_texts(path), seed=seed
    ),
    "bitext": _bitext,
    "agreement": lambda path, reference, _: Agreement(
        name=path.stem, texts=read_plain_texts(path), reference=reference
    ),
    "analogies": lambda path, _, __: Analogies(name=path.stem, questions=read_analogies(path)),
    "geometry": lambda path, _, seed: Geometry(
        name=path.stem, pairs=read_scored_pairs(path), seed=seed
    ),
    "bias": lambda path, _, seed: Bias(test=read_association_test(path), seed=seed),
    "zero-shot": lambda path, _, __: ZeroShot(name=path.name, data=read_labeled_images(path)),
    "image-text": lambda path, _, __: ImageText(name=path.name, data=read_captioned_images(path)),
}
