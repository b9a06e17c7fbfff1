"""The fine-tuned model as a directory that sentence-transformers and `convert` open."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from edgeembed_converters.fine_tuning.examples import ExampleKind
from edgeembed_converters.fine_tuning.low_rank import merged_state
from edgeembed_converters.packaging.assemble import check_target
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.sources.text.opened_model import heard_warnings
from edgeembed_converters.sources.text.transformers_text import TokenVectors
from edgeembed_runtime import storage

CURVE_NAME = "learning-curve.json"


def check_model_target(target: Path, overwrite: bool) -> None:
    """Refuse to overwrite anything but a model; see `check_target`."""
    check_target(target, overwrite, mark="modules.json", what="model")


def write_model(
    source: TextSource,
    target: Path,
    *,
    kind: ExampleKind,
    curve: Mapping[str, Any] | None,
    overwrite: bool,
) -> None:
    """Save the trained weights of `source` with all that is around them.

    License files come along; `curve` is written as learning-curve.json.

    Raises:
        StorageError: the disk is full, or `target` is taken.
    """
    original, backbone = cast(Any, source.original), source.backbone
    assert isinstance(backbone, TokenVectors)
    # Training on another device, or of changes of low rank, ends the sharing of weights.
    original[0].auto_model.load_state_dict(merged_state(backbone.model))
    with storage.staged_directory(target, replace=overwrite) as stage:
        with heard_warnings():
            original.save_pretrained(str(stage), create_model_card=False)
        for name, path in source.card_files.items():
            storage.copy_file(path, stage / name)
        storage.write_file(stage / "README.md", _card(source, kind).encode())
        if curve is not None:
            storage.write_file(stage / CURVE_NAME, json.dumps(curve, indent=2).encode())


def _card(source: TextSource, kind: ExampleKind) -> str:
    license_line = f"license: {source.source.license}\n" if source.source.license else ""
    return (
        f"---\n{license_line}library_name: sentence-transformers\n---\n\n"
        f"{source.source.id}, fine-tuned on {kind} of texts with edgeembed.\n"
    )
