"""The manifest to and from JSON: strict on what must be there, lenient on keys it does not know.

Unknown keys are ignored, so that a later edgeembed may add information without a new format
version; a change that an older reader would misread raises `format_version` instead.
"""

import json
import math
import typing
from collections.abc import Mapping
from typing import Any

from edgeembed_runtime.bundle.manifest import (
    FORMAT_VERSION,
    KIND,
    Fidelity,
    FileEntry,
    Manifest,
    Source,
    TextTower,
    Variant,
)
from edgeembed_runtime.errors import BundleCorruptError, BundleVersionError
from edgeembed_runtime.vectors import Similarity

MAX_MANIFEST_BYTES = 1 << 20
_EXACT_IN_A_FLOAT = 1 << 53
_REQUIRED: Any = object()


def manifest_to_json(manifest: Manifest) -> bytes:
    """Encode a manifest as UTF-8 JSON, ending in a newline. Equal manifests give equal bytes."""
    text = manifest.text
    tree: dict[str, Any] = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "name": manifest.name,
        "space": manifest.space,
        "dim": manifest.dim,
        "similarity": manifest.similarity,
        "normalized": manifest.normalized,
        "matryoshka_dims": list(manifest.matryoshka_dims),
        "made_by": manifest.made_by,
        "source": vars(manifest.source),
        "towers": {
            "text": {
                "tokenizer": text.tokenizer,
                "max_tokens": text.max_tokens,
                "prompts": dict(text.prompts),
                "default_prompt_name": text.default_prompt_name,
                "pooling": text.pooling,
                "head": list(text.head),
                "outputs": list(text.outputs),
                "variants": [
                    {**vars(v), "requires": list(v.requires), "fidelity": vars(v.fidelity)}
                    for v in text.variants
                ],
            }
        },
        "golden": manifest.golden,
        "files": {name: vars(entry) for name, entry in sorted(manifest.files.items())},
    }
    return (json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def manifest_from_json(data: bytes) -> Manifest:
    """Decode and check a manifest.

    Raises:
        BundleVersionError: the format version is newer than this edgeembed reads.
        BundleCorruptError: it is not JSON, a required key is missing, or a value has a wrong type.
    """
    tree = _parse(data)
    kind = tree.get("kind", str)
    if kind != KIND:
        raise BundleCorruptError(f"manifest: kind: expected {KIND!r}, got {kind!r}")
    version = tree.get("format_version", int)
    if version > FORMAT_VERSION:
        raise BundleVersionError(
            f"the bundle was made by a newer edgeembed: its format is {version}, "
            f"this edgeembed reads up to {FORMAT_VERSION}; upgrade edgeembed"
        )
    if version < 1:
        raise BundleCorruptError(f"manifest: format_version: expected 1 or more, got {version}")
    manifest = Manifest(
        name=tree.get("name", str),
        space=tree.get("space", str),
        dim=tree.get("dim", int),
        similarity=typing.cast(Similarity, tree.get("similarity", str)),
        normalized=tree.get("normalized", bool),
        matryoshka_dims=tree.list_of("matryoshka_dims", int),
        source=_source(tree.child("source")),
        text=_text_tower(tree.child("towers").child("text")),
        golden=tree.get("golden", str),
        made_by=tree.get("made_by", str, ""),
        files=_files(tree.child("files")),
    )
    text = manifest.text
    for name in (text.tokenizer, manifest.golden, *(variant.file for variant in text.variants)):
        if name not in manifest.files:
            raise BundleCorruptError(f"manifest: {name!r} is used but not listed under files")
    return manifest


class _Node:
    """A JSON object that knows its path, so that an error can name the place."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise BundleCorruptError(
                f"manifest: {path or 'top level'}: expected an object, got {value!r:.80}"
            )
        self.value = typing.cast(dict[str, Any], value)
        self._path = path

    def get(self, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        value = self.value.get(key, default)
        if value is _REQUIRED:
            raise BundleCorruptError(
                f"manifest: {self._at(key)}: expected {kind.__name__}, got nothing"
            )
        if value is default:
            return default
        if kind is float and type(value) is int:
            value = float(value) if abs(value) < _EXACT_IN_A_FLOAT else math.inf
        if type(value) is not kind or (kind is float and not math.isfinite(value)):
            raise BundleCorruptError(
                f"manifest: {self._at(key)}: expected {kind.__name__}, got {value!r:.80}"
            )
        return value

    def optional(self, key: str, kind: type) -> Any:
        return None if self.value.get(key) is None else self.get(key, kind)

    def list_of(self, key: str, kind: type) -> tuple[Any, ...]:
        values = self.get(key, list, [])
        if not all(type(value) is kind for value in values):
            raise BundleCorruptError(
                f"manifest: {self._at(key)}: expected a list of {kind.__name__}, got {values!r:.80}"
            )
        return tuple(values)

    def child(self, key: str) -> "_Node":
        return _Node(self.get(key, dict), self._at(key))

    def children(self, key: str) -> list["_Node"]:
        return [_Node(item, f"{self._at(key)}[{i}]") for i, item in enumerate(self.get(key, list))]

    def map_of(self, key: str, kind: type) -> dict[str, Any]:
        node = _Node(self.get(key, dict, {}), self._at(key))
        return {name: node.get(name, kind) for name in node.value}

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def _parse(data: bytes) -> _Node:
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleCorruptError(
            f"manifest: expected at most {MAX_MANIFEST_BYTES} bytes, got {len(data)}"
        )
    try:
        tree = json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        return _Node(tree, "")
    except (ValueError, RecursionError) as error:
        raise BundleCorruptError(f"manifest: expected valid JSON, got: {error}") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("an object names one key twice")
    return tree


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _source(node: _Node) -> Source:
    return Source(
        id=node.get("id", str),
        revision=node.optional("revision", str),
        weights_sha256=node.get("weights_sha256", str),
        license=node.optional("license", str),
    )


def _text_tower(node: _Node) -> TextTower:
    return TextTower(
        tokenizer=node.get("tokenizer", str),
        max_tokens=node.get("max_tokens", int),
        prompts=node.map_of("prompts", str),
        default_prompt_name=node.optional("default_prompt_name", str),
        pooling=node.get("pooling", str, ""),
        head=node.list_of("head", str),
        outputs=node.list_of("outputs", str) or ("embedding",),
        variants=tuple(_variant(child) for child in node.children("variants")),
    )


def _variant(node: _Node) -> Variant:
    fidelity = node.child("fidelity")
    return Variant(
        name=node.get("name", str),
        file=node.get("file", str),
        requires=node.list_of("requires", str),
        padding=node.get("padding", bool, True),
        recipe=node.get("recipe", str, ""),
        fidelity=Fidelity(
            texts=fidelity.get("texts", int),
            mean_cosine=fidelity.get("mean_cosine", float),
            min_cosine=fidelity.get("min_cosine", float),
            max_abs_difference=fidelity.get("max_abs_difference", float),
            pairs_spearman=fidelity.get("pairs_spearman", float),
            retrieval_overlap=fidelity.get("retrieval_overlap", float),
        ),
        speedup=node.get("speedup", float, 1.0),
        measured_on=node.get("measured_on", str, ""),
    )


def _files(node: _Node) -> Mapping[str, FileEntry]:
    entries = {name: node.child(name) for name in node.value}
    return {
        name: FileEntry(bytes=entry.get("bytes", int), sha256=entry.get("sha256", str))
        for name, entry in entries.items()
    }
