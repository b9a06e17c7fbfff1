"""Front matter: what a note says of itself in YAML or TOML before its text."""

import re
import tomllib
from typing import Any, cast

from edgeembed.ingest.readers.base.metadata import clean_metadata
from edgeembed.ingest.readers.base.yaml_nesting import yaml_loader
from edgeembed_runtime.errors import MissingExtraError

_MAX_FRONT = 1 << 16
_YAML = re.compile(r"---[ \t]*\r?\n(?P<body>.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.S | re.M)
_TOML = re.compile(r"\+\+\+[ \t]*\r?\n(?P<body>.*?)^\+\+\+[ \t]*(?:\r?\n|\Z)", re.S | re.M)


def split_front_matter(text: str) -> tuple[dict[str, Any], int]:
    """Metadata of front matter, and where the text behind it begins; ({}, 0): there is none.

    Raises:
        ValueError: it is there, and cannot be read.
        MissingExtraError: there is YAML, and the package that reads it is not installed.
    """
    beginning = text[:_MAX_FRONT]
    if found := _YAML.match(beginning):
        tree = _yaml(found["body"])
    elif found := _TOML.match(beginning):
        tree = tomllib.loads(found["body"])
    else:
        return {}, 0
    if not isinstance(tree, dict):  # a rule above and below a paragraph
        return {}, 0
    named = cast("dict[Any, Any]", tree)
    return _with_tags(clean_metadata(named)), found.end()


def _yaml(body: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError.for_extra("front matter", "documents") from error
    try:
        loader = yaml_loader(body)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from error


def _with_tags(metadata: dict[str, Any]) -> dict[str, Any]:
    """Tags as a list, however they were written: "a, b", "#a #b" or a list."""
    for name in ("tags", "keywords", "categories", "aliases"):
        found = metadata.get(name)
        if isinstance(found, str):
            parts = found.split(",") if "," in found or name == "aliases" else found.split()
            metadata[name] = [part for each in parts if (part := each.strip().lstrip("#"))]
    return metadata
