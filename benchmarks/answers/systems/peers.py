"""The peers: bm25s, a Chroma-like stack, model2vec and WordLlama, as their users build them."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answers.data_sets.data_set import DataSet, Document
from benchmarks.answers.systems.system import Found, System, with_title
from benchmarks.common.model_and_texts import model_directory
from benchmarks.distillation.static import model2vec, wordllama

Encode = Callable[[list[str]], np.ndarray]
Cut = Callable[[Document], Iterator[tuple[int, int]]]
# What splitters of texts take for a passage where nobody chooses.
_PASSAGE_CHARACTERS = 1000


def whole(document: Document) -> Iterator[tuple[int, int]]:
    """A document as one passage."""
    yield 0, len(document.text)


def paragraphs(document: Document) -> Iterator[tuple[int, int]]:
    """Passages of up to 1,000 characters, cut at blank lines where there are any."""
    text, start = document.text, 0
    while start < len(text):
        end = min(len(text), start + _PASSAGE_CHARACTERS)
        if end < len(text):
            blank = text.rfind("\n\n", start + 1, end)
            end = blank + 2 if blank > start else end
        if text[start:end].strip():
            yield start, end
        start = end


class _Passages:
    """Places of passages in documents, and their texts."""

    def __init__(self, data: DataSet, cut: Cut) -> None:
        self.places: list[tuple[str, int, int]] = []
        self.texts: list[str] = []
        for document in data.documents:
            for start, end in (cut if data.kind == "files" else whole)(document):
                self.places.append((document.key, start, end))
                alone = data.kind == "passages"
                self.texts.append(with_title(document) if alone else document.text[start:end])

    def found(self, number: int, score: float) -> Found:
        key, start, end = self.places[number]
        return Found(document=key, start=start, end=end, score=score)


class Bm25s:
    """bm25s (https://github.com/xhluca/bm25s) with English stop words and stemmer."""

    name = index_name = "bm25s"
    multilingual = False

    def __init__(self) -> None:
        import Stemmer

        self._stemmer = Stemmer.Stemmer("english")
        self._held: tuple[DataSet, _Passages, Any] | None = None

    def index(self, data: DataSet) -> int:
        if self._held is None or self._held[0] is not data:
            self._held = (data, *self._made(data))
        return len(self._held[1].texts)

    def time_indexing(self, data: DataSet) -> tuple[float, int]:
        began = time.perf_counter()
        passages, _ = self._made(data)
        return time.perf_counter() - began, len(passages.texts)

    def search(self, query: str, k: int) -> Sequence[Found]:
        assert self._held is not None
        _, passages, ranker = self._held
        tokens = self._tokens([query])
        numbers, scores = ranker.retrieve(
            tokens, k=min(k, len(passages.texts)), show_progress=False
        )
        return [
            passages.found(int(number), float(score))
            for number, score in zip(numbers[0], scores[0], strict=True)
            if score > 0
        ]

    def close(self) -> None:
        self._held = None

    def _made(self, data: DataSet) -> tuple[_Passages, Any]:
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)
        passages = _Passages(data, paragraphs)
        ranker = bm25s.BM25()
        ranker.index(self._tokens(passages.texts), show_progress=False)
        return passages, ranker

    def _tokens(self, texts: list[str]) -> Any:
        import bm25s

        return bm25s.tokenize(texts, stopwords="en", stemmer=self._stemmer, show_progress=False)


class KeptVectors:
    """Vectors of texts by one model, kept in a file from run to run."""

    def __init__(self, path: Path, encode: Encode) -> None:
        self._path = path
        self._encode = encode
        self._kept: dict[str, np.ndarray] = {}
        if path.exists():
            with np.load(path) as stored:
                self._kept = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def of(self, texts: Sequence[str]) -> np.ndarray:
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        missing = {k: t for k, t in zip(keys, texts, strict=True) if k not in self._kept}
        if missing:
            made = np.asarray(self._encode(list(missing.values())), np.float32)
            self._kept.update(zip(missing, made, strict=True))
            np.savez(
                self._path,
                keys=np.array(list(self._kept)),
                vectors=np.stack([*self._kept.values()]),
            )
        return np.stack([self._kept[key] for key in keys])


class DensePeer:
    """Vectors of passages, compared one by one by cosine, as small stores do."""

    multilingual = False

    def __init__(self, name: str, encode: Encode, cut: Cut, work: Path) -> None:
        self.name = self.index_name = name
        self._encode = encode
        self._cut = cut
        self._vectors = KeptVectors(work / f"{name.replace(' ', '-')}.npz", encode)
        self._held: tuple[DataSet, _Passages, np.ndarray] | None = None

    def index(self, data: DataSet) -> int:
        if self._held is None or self._held[0] is not data:
            passages = _Passages(data, self._cut)
            self._held = (data, passages, _unit(self._vectors.of(passages.texts)))
        return len(self._held[1].texts)

    def time_indexing(self, data: DataSet) -> tuple[float, int]:
        began = time.perf_counter()
        passages = _Passages(data, self._cut)
        _unit(np.asarray(self._encode(passages.texts), np.float32))
        return time.perf_counter() - began, len(passages.texts)

    def search(self, query: str, k: int) -> Sequence[Found]:
        assert self._held is not None
        _, passages, rows = self._held
        scores = rows @ _unit(np.asarray(self._encode([query]), np.float32))[0]
        best = np.argsort(-scores, kind="stable")[:k]
        return [passages.found(int(number), float(scores[number])) for number in best]

    def close(self) -> None:
        self._held = None


def chroma_like(work: Path) -> System:
    """Chroma's default model, all-MiniLM-L6-v2, as fp32, and whole files as its documents."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(model_directory()), device="cpu")
    return DensePeer(
        "Chroma-like", lambda texts: model.encode(texts, show_progress_bar=False), whole, work
    )


def model2vec_peer(work: Path) -> System:
    """model2vec's own distillation of all-MiniLM-L6-v2."""
    return DensePeer("model2vec", model2vec(work / "model2vec").encode, paragraphs, work)


def wordllama_peer(work: Path) -> System:
    """WordLlama's default table, which its package carries."""
    return DensePeer("WordLlama", wordllama().encode, paragraphs, work)


# By name: the modules and what to install for them, and how it is made.
PEERS: dict[str, tuple[dict[str, str], Callable[[Path], System]]] = {
    "bm25s": ({"bm25s": "bm25s", "Stemmer": "PyStemmer"}, lambda _: Bm25s()),
    "Chroma-like": ({"sentence_transformers": "sentence-transformers"}, chroma_like),
    "model2vec": (dict.fromkeys(("model2vec", "skeletoken"), "model2vec[distill]"), model2vec_peer),
    "WordLlama": ({"wordllama": "wordllama"}, wordllama_peer),
}


def open_peer(name: str, work: Path) -> System | None:
    """A peer by name; None, and a line that says so, if a package of it is missing."""
    modules, make = PEERS[name]
    missing = {package for module, package in modules.items() if find_spec(module) is None}
    if missing:
        print(f"{name} is left out: pip install {' '.join(sorted(missing))}", flush=True)
        return None
    return make(work)


def peer_versions() -> dict[str, str]:
    """The versions of the peers' packages that are installed."""
    installed = {}
    for package in ("bm25s", "PyStemmer", "model2vec", "wordllama"):
        with suppress(PackageNotFoundError):
            installed[package] = version(package)
    return installed


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
