"""The Index: documents and their vectors, found by meaning, by word, or by key."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, NoReturn

from numpy.typing import ArrayLike

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.arguments import checked_choice, checked_path
from edgeembed_runtime.errors import (
    EdgeEmbedError,
    IndexReadOnlyError,
    InputError,
    SearchIndexError,
)
from edgeembed_runtime.index.admin.backup import copy_index
from edgeembed_runtime.index.admin.repair import RepairReport, read_damaged, repair
from edgeembed_runtime.index.ann.registry import allowed_backends
from edgeembed_runtime.index.base.encoder_protocol import (
    IndexEncoder,
    check_encoder,
    check_fits,
    check_space,
)
from edgeembed_runtime.index.base.opening import checked_opening
from edgeembed_runtime.index.base.settings import IndexSettings
from edgeembed_runtime.index.base.validation import check_keys
from edgeembed_runtime.index.catalog.catalog import Catalog
from edgeembed_runtime.index.catalog.create import create_if_missing, create_index
from edgeembed_runtime.index.catalog.filters import compile_optional
from edgeembed_runtime.index.catalog.lock import WriterLock
from edgeembed_runtime.index.catalog.notes import check_notes
from edgeembed_runtime.index.reader import IndexReader
from edgeembed_runtime.index.write.batch import make_batch
from edgeembed_runtime.index.write.commit import Writer

_DEFAULTS = IndexSettings()
_Mode = Literal["r", "rw", "a"]
_MODES: tuple[_Mode, ...] = ("r", "rw", "a")


@public
class Index(IndexReader):
    """An open index directory. Many threads may use it at once; close it, or use `with`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        encoder: IndexEncoder | None = None,
        writable: bool = False,
        dim: int | None = None,
        space: str | None = None,
        lock_timeout_s: float = 0.1,
        settings: IndexSettings = _DEFAULTS,
    ) -> None:
        """Open an index that is there; use Index.open or Index.create."""
        directory = checked_path(path).absolute()
        self.mode: Literal["r", "rw"] = "rw" if writable else "r"
        self._writer: Writer | None = None
        with contextlib.ExitStack() as opened:
            timeout_s = settings.busy_timeout_s
            catalog = Catalog(directory, writable=writable, busy_timeout_s=timeout_s)
            opened.callback(catalog.close)
            check_space(dim, space, index_dim=catalog.dim, index_space=catalog.space)
            if encoder is not None:
                check_fits(encoder, dim=catalog.dim, space=catalog.space)
            super().__init__(directory, catalog, encoder, writable=writable)
            if writable:
                # After the checks above, so that no lock file is created in a foreign folder.
                lock = WriterLock(directory, lock_timeout_s)
                opened.callback(lock.release)
                self._writer = Writer(directory, catalog, lock, settings, self._current)
            self._current()
            opened.pop_all()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        encoder: IndexEncoder | None = None,
        dim: int | None = None,
        space: str | None = None,
        info: Mapping[str, str] | None = None,
        lock_timeout_s: float = 0.1,
        settings: IndexSettings = _DEFAULTS,
    ) -> "Index":
        """Create an empty index in a new or empty directory, and open it for writing.

        Args:
            path: the directory; created with mode 0700 if it is missing.
            encoder: encodes documents and queries; its dim and space become the index's.
            dim: without an encoder, the dimension of your own vectors, 1 to 8192.
            space: without an encoder, a name for the space of your vectors.
            info: named texts that the index keeps, such as where the bundle is.
            lock_timeout_s: how long to wait for another writer, in seconds.
            settings: when to seal, and which approximate search to build.

        Raises:
            IndexExistsError: an index or other files are there.
            InputError: no usable dim, or an encoder that is not compared by cosine.
            StorageError: the file system refused.
        """
        checked = checked_opening(
            path,
            encoder=encoder,
            dim=dim,
            space=space,
            info=info,
            lock_timeout_s=lock_timeout_s,
            settings=settings,
        )
        allowed_backends(checked.settings)
        timeout_s = checked.lock_timeout_s
        create_index(
            checked.path,
            encoder,
            checked.dim,
            checked.space,
            checked.info,
            lock_timeout_s=timeout_s,
        )
        return cls(
            checked.path,
            encoder=encoder,
            writable=True,
            lock_timeout_s=timeout_s,
            settings=settings,
        )

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        encoder: IndexEncoder | None = None,
        mode: _Mode = "r",
        dim: int | None = None,
        space: str | None = None,
        info: Mapping[str, str] | None = None,
        lock_timeout_s: float = 0.1,
        settings: IndexSettings = _DEFAULTS,
    ) -> "Index":
        """Open an index, or with mode "a" create it first if nothing is there.

        Args:
            path: its directory.
            encoder: encodes documents and queries; must be of the index's space.
            mode: "r" sees one generation until refresh(); "rw" is the one writer; "a" is "rw" that
                creates the index in a missing or empty directory.
            dim: mode "a" only, and so are space and info; see create. An index that is there must
                have this dim and space, and keeps its own info.
            space: see dim.
            info: see dim.
            lock_timeout_s: how long to wait for another writer, in seconds.
            settings: when to seal, and which approximate search to build.

        Raises:
            IndexNotFoundError, IndexCorruptError, IndexVersionError: it cannot be opened.
            IndexExistsError: mode "a", and something that is no index is there.
            IndexLockedError: mode "rw" or "a", and another writer has it open.
            SpaceMismatchError: the encoder's vectors do not belong in this index.
            InputError: an argument cannot be used.
            StorageError: the file system refused.
        """
        mode = checked_choice(mode, _MODES, "mode")
        checked = checked_opening(
            path,
            encoder=encoder,
            dim=dim,
            space=space,
            info=info,
            lock_timeout_s=lock_timeout_s,
            settings=settings,
        )
        dim, space, timeout_s = checked.dim, checked.space, checked.lock_timeout_s
        if mode != "a" and any(given is not None for given in (dim, space, info)):
            raise InputError(f"dim, space, info: expected only with mode 'a', got mode {mode!r}")
        allowed_backends(settings)
        if mode == "a":
            create_if_missing(checked.path, encoder, dim, space, checked.info, timeout_s, settings)
        return cls(
            checked.path,
            encoder=encoder,
            writable=mode != "r",
            dim=dim,
            space=space,
            lock_timeout_s=timeout_s,
            settings=settings,
        )

    def upsert(
        self,
        keys: Sequence[str],
        *,
        documents: Sequence[str] | None = None,
        vectors: ArrayLike | Sequence[ArrayLike | None] | None = None,
        metadatas: Sequence[Mapping[str, Any] | None] | None = None,
        titles: Sequence[str | None] | None = None,
        delete: Iterable[str] = (),
        notes: Mapping[str, str | None] | None = None,
    ) -> None:
        """Insert or replace documents in one durable commit, all of them or none.

        Args:
            keys: n texts of 1 to 1024 characters; if a key occurs twice, the last entry wins.
            documents: n texts, or None.
            vectors: (n, dim) vectors of any length but zero; None, or a None among them, encodes
                the document, with its title in front. A document of which the encoder knows no
                word gets none (zeros), with an UnknownTextWarning: only keyword search finds it.
            metadatas: n dicts of JSON values (or None each), or None. Dates become ISO texts,
                and scalars of numpy what they hold.
            titles: n texts (or None each), or None: what the document stands under, such as the
                name of its file and its headings. Words of it count double in keyword search.
            delete: keys to delete in the same commit, unless they are in `keys`.
            notes: named texts to write in the same commit, None to remove one; see notes().

        Raises:
            InputError: an argument cannot be used; nothing was written.
            IndexReadOnlyError: opened with mode "r", or closed.
            StorageError: the file system refused, and nothing was committed; or, as the message
                then says, everything was, but a power cut could still undo it.
        """
        writer = self._require_writer()
        batch = make_batch(
            keys, documents, vectors, metadatas, titles, dim=self.dim, encoder=self._encoder
        )
        written = frozenset(batch.keys)
        gone = [key for key in check_keys(delete, what="delete") if key not in written]
        noted = check_notes({} if notes is None else notes)
        if batch.keys or gone or noted:
            writer.upsert(batch, gone, noted)

    def delete(
        self,
        keys: str | Iterable[str] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
    ) -> int:
        """Delete documents in one durable commit; returns how many there were.

        Args:
            keys: of these; None for all that match `where`.
            where: a filter on metadata, as in search, with a condition at least: of the documents
                with these keys, those that match.

        Raises:
            InputError, IndexReadOnlyError, StorageError: see upsert.
        """
        writer = self._require_writer()
        if where is None and keys is None:
            raise InputError("delete: expected keys, or where=..., got neither")
        condition = compile_optional(where)
        if where is not None and not condition.tests:
            raise InputError(
                f"where: expected a condition, got {where!r}, which every document meets; to "
                "delete all, pass keys=index.keys()"
            )
        if keys is None:
            return writer.delete(None, condition)
        wanted = list(dict.fromkeys(check_keys([keys] if isinstance(keys, str) else keys)))
        return writer.delete(wanted, condition) if wanted else 0

    def compact(self) -> None:
        """Rewrite everything as one segment, without deleted and replaced rows.

        Raises:
            IndexReadOnlyError: opened with mode "r", or closed.
            IndexCorruptError, StorageError: the index is as it was.
        """
        self._require_writer().compact()

    def backup(self, dst: str | os.PathLike[str]) -> None:
        """Copy the newest generation to a new directory, which appears once the copy is verified.

        Raises:
            IndexExistsError: `dst` exists.
            IndexCorruptError: this index is damaged; there is no copy then.
            StorageError: the file system refused.
        """
        self._require_open()
        target = checked_path(dst, "dst").absolute()
        copy_index(self.path, self._catalog, target)

    @staticmethod
    def repair(
        path: str | os.PathLike[str],
        dst: str | os.PathLike[str],
        *,
        encoder: IndexEncoder | None = None,
    ) -> RepairReport:
        """Save what can be saved of a damaged index to a new one; the damaged one is only read.

        Args:
            path: the damaged index; nothing should write to it meanwhile.
            dst: where the new one goes.
            encoder: encodes documents again whose vectors are damaged.

        Raises:
            IndexExistsError: `dst` holds an index or other files.
            IndexCorruptError: the catalog itself is damaged; only a backup helps.
            SpaceMismatchError: the encoder's vectors do not belong in this index.
            StorageError: the file system refused.
        """
        directory = checked_path(path).absolute()
        target_path = checked_path(dst, "dst")
        if encoder is not None:
            check_encoder(encoder)
        source = Catalog(directory, writable=False, busy_timeout_s=_DEFAULTS.busy_timeout_s)
        with contextlib.closing(source):
            if encoder is not None:
                check_fits(encoder, dim=source.dim, space=source.space)
            with Index.create(
                target_path, dim=source.dim, space=source.space, info=source.info
            ) as target:
                with contextlib.closing(read_damaged(directory, source, encoder)) as parts:
                    report = repair(parts, target._require_writer().upsert)
                target.compact()
        return report

    def close(self) -> None:
        """Release the files and the writer lock; a second call, or one in a fork, does nothing."""
        if self._writer is not None and not self._catalog.is_inherited:
            self._writer.close()
        else:
            self._catalog.close()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: locks and files belong to this process.

        Raises:
            SearchIndexError: always.
        """
        raise SearchIndexError(
            f"{self.path}: an open index cannot be pickled or copied; send its path, and open it "
            "there"
        )

    def __repr__(self) -> str:
        """Path, mode, size; never raises, even when closed."""
        try:
            held = f"{len(self)} documents, dim={self.dim}"
        except EdgeEmbedError:
            held = "closed, or cannot be read"
        return f"Index({str(self.path)!r}, mode={self.mode!r}, {held})"

    def __enter__(self) -> "Index":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _require_writer(self) -> Writer:
        self._require_open()
        if self._writer is None:
            raise IndexReadOnlyError(f"{self.path} is open for reading; open it with mode='rw'")
        return self._writer
