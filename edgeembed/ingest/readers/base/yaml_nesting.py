"""YAML that is nested without end is refused before PyYAML builds anything of it.

Its binding to libyaml recurses in C: 100 KB of "- - - -" overflow the stack and kill the process.
"""

import importlib
from typing import Any

_MAX_LEVELS = 100


def yaml_loader(text: str) -> Any:
    """PyYAML's safe loader of a text, the fast one where it is there; to be disposed of.

    Raises:
        ImportError: PyYAML is not installed.
        ValueError: mappings and lists over 100 levels deep.
        yaml.YAMLError: it is not YAML.
    """
    yaml: Any = importlib.import_module("yaml")
    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    level = 0
    for event in yaml.parse(text, Loader=kind):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > _MAX_LEVELS:
                raise ValueError(f"YAML: expected at most {_MAX_LEVELS} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1
    return kind(text)
