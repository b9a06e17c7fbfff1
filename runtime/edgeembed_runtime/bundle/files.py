"""A bundle on disk: verified reads, synced writes."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from edgeembed_runtime import storage
from edgeembed_runtime._internal.plain_files import NotPlainFileError, open_plain_file
from edgeembed_runtime.arguments import checked_path
from edgeembed_runtime.bundle.manifest import FileEntry, Manifest
from edgeembed_runtime.bundle.manifest_json import (
    MAX_MANIFEST_BYTES,
    manifest_from_json,
    manifest_to_json,
)
from edgeembed_runtime.bundle.packaged import DEFAULT, PACKAGED, bundle_directory
from edgeembed_runtime.bundle.validation import check_name
from edgeembed_runtime.errors import (
    BundleCorruptError,
    BundleNotFoundError,
    BundleUnsafeError,
    EdgeEmbedError,
    StorageError,
)

MANIFEST_NAME = "edgeembed.json"
Check = Literal["size", "hash"]
_MODEL_NAME = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*(?<!\.bundle)")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """An opened bundle: its directory and manifest. Files are verified when read."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Bundle":
        """Read and validate the manifest in directory `path`; no other file is opened.

        `path` may be the name of a bundle in the package: see `bundle_directory`.

        Raises:
            InputError: `path` is not a path.
            BundleNotFoundError: there is no directory at `path`, or no manifest in it.
            BundleVersionError: a newer edgeembed made the bundle.
            BundleCorruptError, BundleUnsafeError: the manifest is invalid.
            StorageError: the file system refused.
        """
        checked_path(path, "path of the bundle's directory")
        root = bundle_directory(path)
        if not root.is_dir():
            raise BundleNotFoundError(_not_a_directory(root))
        if not os.path.lexists(root / MANIFEST_NAME):
            raise BundleNotFoundError(_not_a_bundle(root))
        data = _read_regular_file(root, MANIFEST_NAME, MAX_MANIFEST_BYTES)
        try:
            manifest = manifest_from_json(data)
            for name in manifest.files:
                check_name(name)
        except (BundleCorruptError, BundleUnsafeError) as error:
            raise type(error)(f"bundle {root}: {error}") from error
        # Absolute: files are read later, when the working directory may have changed.
        return cls(path=root.absolute(), manifest=manifest)

    def read(self, name: str, *, check: Check = "hash") -> bytes:
        """Read a listed file and verify its size, and with "hash" its SHA-256.

        Raises:
            BundleCorruptError: it is not listed, is missing, or does not match the manifest.
            BundleUnsafeError: it is a link or not a regular file.
            StorageError: the file system refused.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleCorruptError(f"bundle {self.path}: {name} is not listed in the manifest")
        data = _read_regular_file(self.path, name, entry.bytes)
        if len(data) != entry.bytes:
            raise BundleCorruptError(
                _damaged(self.path, name, f"{entry.bytes} bytes", f"{len(data)}")
            )
        if check == "hash" and (actual := storage.sha256_of(data)) != entry.sha256:
            raise BundleCorruptError(
                _damaged(self.path, name, f"SHA-256 {entry.sha256}", f"{actual}")
            )
        return data

    def problems(self) -> list[str]:
        """Verify every file and look for unlisted ones; return one line per problem."""
        problems: list[str] = []
        for name in self.manifest.files:
            try:
                self.read(name)
            except EdgeEmbedError as error:
                problems.append(str(error))
        listed = set(self.manifest.files) | {MANIFEST_NAME}
        problems += [
            f"bundle {self.path}: {name} is present but not listed in the manifest"
            for name in _names_in(self.path)
            if name not in listed
        ]
        return problems


def write_bundle(stage: Path, manifest: Manifest, files: Mapping[str, bytes | Path]) -> Bundle:
    """Write a bundle's files, then its manifest, into the empty directory `stage`; sync them all.

    `files` maps each name to its bytes or to a file to copy. `manifest.files` is rebuilt from what
    was written.

    Raises:
        BundleUnsafeError: a file name is not allowed.
        StorageError: the disk is full, or the file system refused.
    """
    entries: dict[str, FileEntry] = {}
    for name, content in files.items():
        target = stage / check_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            storage.copy_file(content, target)
        else:
            storage.write_file(target, content)
        entries[name] = FileEntry(bytes=target.stat().st_size, sha256=storage.sha256_file(target))
    manifest = replace(manifest, files=entries)
    storage.write_file(stage / MANIFEST_NAME, manifest_to_json(manifest))
    return Bundle(path=stage, manifest=manifest)


def rewrite_manifest(bundle: Bundle, manifest: Manifest) -> Bundle:
    """Replace the manifest of a bundle in one step, and no other file.

    Raises:
        StorageError: the file system refused; the bundle is unchanged.
    """
    with storage.staged_file(bundle.path / MANIFEST_NAME) as file:
        file.write(manifest_to_json(manifest))
    return replace(bundle, manifest=manifest)


def _read_regular_file(root: Path, name: str, limit: int) -> bytes:
    """Read up to `limit` + 1 bytes of `root/name`, following no links below `root`."""
    path = root / name
    try:
        for folder in list(path.parents)[: name.count("/")]:
            if folder.is_symlink():
                raise NotPlainFileError(folder, "a link")
        with open_plain_file(path) as file:
            return file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
    except NotPlainFileError as error:
        found = "is a link" if error.found == "a link" else "is not a regular file"
        raise BundleUnsafeError(
            f"bundle {root}: {name} {found}; a bundle holds regular files only"
        ) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleCorruptError(_damaged(root, name, "a file", "nothing")) from error
    except OSError as error:
        raise StorageError(f"bundle {root}: could not read {name}: {error.strerror}") from error


def _damaged(root: Path, name: str, expected: str, found: str) -> str:
    return (
        f"bundle {root}: {name} is missing or damaged: expected {expected}, found {found}; "
        "copy or convert the bundle again"
    )


def _names_in(root: Path) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )


def _not_a_directory(root: Path) -> str:
    shown = f"./{root}" if str(root) in PACKAGED else root.as_posix()
    found = "a file" if root.exists() else "nothing"
    message = f"bundle {shown}: expected a directory, got {found}; "
    if found == "a file" or not _looks_like_a_model_name(root):
        return f"{message}check the path"
    packaged = "inside the package: Encoder.load() and " + " and ".join(
        f'Encoder.load("{name}")' for name in PACKAGED if name != DEFAULT.name
    )
    if root.name in PACKAGED:
        return f"{message}check the path; {packaged}"
    if root.name.lower() == DEFAULT.path.name.lower():
        return f"{message}this model comes with edgeembed as Encoder.load(); {packaged}"
    return (
        f"{message}check the path, or make a bundle of the model by `edgeembed convert {shown} "
        f'OUT` and use Encoder.load("OUT"); {packaged}'
    )


def _looks_like_a_model_name(path: Path) -> bool:
    """Whether it may be "name" or "owner/name" of a model hub, not a mistyped path."""
    in_a_folder = path.parent != Path() and path.parent.is_dir()
    return not in_a_folder and _MODEL_NAME.fullmatch(path.as_posix()) is not None


def _not_a_bundle(root: Path) -> str:
    message = f"bundle {root}: expected {MANIFEST_NAME} in it, found none"
    if (root / "modules.json").exists() or (root / "config.json").exists():
        return f"{message}; this looks like a model directory: run `edgeembed convert {root} OUT`"
    if (root / "edgeembed.sqlite3").exists():
        return f"{message}; this is an index: pass the bundle's directory instead"
    return f"{message}; pass the directory that `edgeembed convert` wrote"
