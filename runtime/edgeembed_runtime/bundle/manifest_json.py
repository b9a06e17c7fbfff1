"""The manifest to and from JSON: strict about required keys, lenient about unknown ones.

Unknown keys are ignored, so a later edgeembed can add information without a new format version.
A change that older readers would misread increases `format_version` instead.
"""

import json
import typing
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from edgeembed_runtime.bundle.json_node import JsonNode
from edgeembed_runtime.bundle.manifest import FORMAT_VERSION, KIND, FileEntry, Manifest, Source
from edgeembed_runtime.bundle.search_profile import Calibration, SearchProfile
from edgeembed_runtime.bundle.towers_json import image_tower, text_tower, tower_to_tree
from edgeembed_runtime.errors import BundleCorruptError, BundleVersionError
from edgeembed_runtime.vectors import Similarity

MAX_MANIFEST_BYTES = 1 << 20
_LOGITS = ("logit_scale", "logit_bias")


def manifest_to_json(manifest: Manifest) -> bytes:
    """Serialize as UTF-8 JSON with a trailing newline; equal manifests give equal bytes."""
    tree: dict[str, Any] = {
        "kind": KIND,
        "format_version": manifest.format_version,
        "name": manifest.name,
        "space": manifest.space,
        "dim": manifest.dim,
        "similarity": manifest.similarity,
        "normalized": manifest.normalized,
        "matryoshka_dims": list(manifest.matryoshka_dims),
        "made_by": manifest.made_by,
        "source": vars(manifest.source),
        "towers": {name: tower_to_tree(tower) for name, tower in manifest.towers.items()},
        "golden": manifest.golden,
        "files": {name: vars(entry) for name, entry in sorted(manifest.files.items())},
    }
    for name in _LOGITS:
        if (value := getattr(manifest, name)) is not None:
            tree[name] = value
    if manifest.search is not None:
        tree["search"] = asdict(manifest.search)
    return (json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def manifest_from_json(data: bytes) -> Manifest:
    """Parse and validate a manifest.

    Raises:
        BundleVersionError: the format version is newer than this edgeembed can read.
        BundleCorruptError: it is not valid JSON, a required key is missing, or a value is invalid.
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
    towers = tree.child("towers")
    no_image = not towers.has("image")
    manifest = Manifest(
        name=tree.get("name", str),
        space=tree.get("space", str),
        dim=tree.get("dim", int),
        similarity=typing.cast(Similarity, tree.get("similarity", str)),
        normalized=tree.get("normalized", bool),
        matryoshka_dims=tree.list_of("matryoshka_dims", int),
        source=_source(tree.child("source")),
        text=text_tower(towers.child("text")) if towers.has("text") or no_image else None,
        image=image_tower(towers.child("image")) if not no_image else None,
        logit_scale=tree.optional("logit_scale", float),
        logit_bias=tree.optional("logit_bias", float),
        search=_search(tree.optional_child("search")),
        golden=tree.get("golden", str),
        made_by=tree.get("made_by", str, ""),
        files=_files(tree.child("files")),
    )
    if manifest.format_version > version:
        raise BundleCorruptError(
            f"manifest: format_version: expected {manifest.format_version} or more for the "
            f"truncation side left, got {version}"
        )
    used = [variant.file for tower in manifest.towers.values() for variant in tower.variants]
    if manifest.text is not None:
        used.append(manifest.text.tokenizer)
    for name in (*used, manifest.golden):
        if name not in manifest.files:
            raise BundleCorruptError(f"manifest: {name!r} is used but not listed in files")
    return manifest


def _parse(data: bytes) -> JsonNode:
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleCorruptError(
            f"manifest: expected at most {MAX_MANIFEST_BYTES} bytes, got {len(data)}"
        )
    try:
        tree = json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        json.dumps(tree, ensure_ascii=False).encode()  # fails where half a surrogate is
        return JsonNode(tree, "")
    except (ValueError, RecursionError) as error:
        raise BundleCorruptError(f"manifest: expected valid JSON, got: {error}") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("an object has a duplicate key")
    return tree


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _source(node: JsonNode) -> Source:
    return Source(
        id=node.get("id", str),
        revision=node.optional("revision", str),
        weights_sha256=node.get("weights_sha256", str),
        license=node.optional("license", str),
    )


def _search(node: JsonNode | None) -> SearchProfile | None:
    if node is None:
        return None
    usual = SearchProfile()
    calibration = node.optional_child("calibration")
    return SearchProfile(
        weight=node.get("weight", float, usual.weight),
        code_weight=node.optional("code_weight", float),
        passage_tokens=node.get("passage_tokens", int, usual.passage_tokens),
        overlap_tokens=node.get("overlap_tokens", int, usual.overlap_tokens),
        calibration=calibration
        and Calibration(
            slope=calibration.get("slope", float), intercept=calibration.get("intercept", float)
        ),
    )


def _files(node: JsonNode) -> Mapping[str, FileEntry]:
    entries = {name: node.child(name) for name in node.value}
    return {
        name: FileEntry(bytes=entry.get("bytes", int), sha256=entry.get("sha256", str))
        for name, entry in entries.items()
    }
