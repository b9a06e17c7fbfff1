"""Model directories that a stranger could hand over, each the same for the same number."""

import random
import shutil
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from faults.hostile import model_contents as contents
from faults.hostile import model_places as places
from faults.hostile import model_tokenizers as tokenizers

Change = Callable[[Path, Path, random.Random], str]
# In this order once, which every run does; then by chance, those of many forms more often.
CHANGES: tuple[Change, ...] = (
    places.special_file, places.special_file, places.link_outside, places.link_outside,
    places.link_loop, places.sparse, places.unreadable, places.pickled, places.pickled,
    places.own_code, places.own_code, places.traversal, places.traversal, places.odd_names,
    places.many_files, contents.config_value, contents.config_value, contents.config_value,
    contents.other_value, contents.odd_json, contents.odd_json, contents.lying_weights,
    contents.lying_weights, tokenizers.tokenizer_bomb, tokenizers.tokenizer_bomb,
    tokenizers.tokenizer_settings, contents.module_settings, contents.module_settings,
    contents.damaged_file, places.hub_cache,
)  # fmt: skip
# Last, as it moves all files.
_LAST = places.hub_cache


def write_case(number: int, model: Path, outside: Path, bases: Mapping[str, Path]) -> str:
    """Write the directory `model`, and what it must not reach into `outside`: what it is."""
    chance = random.Random(f"hostile model {number}")
    first = CHANGES[number % len(CHANGES)]
    kind = chance.choice(("plain", "sentence", "sentence", "static", "vision", "adapter"))
    if kind == "adapter" and find_spec("peft") is None:
        kind = "plain"  # an adapter is refused for that alone
    if first in (contents.module_settings, places.traversal):
        kind = "sentence"
    shutil.copytree(bases[kind], model)
    outside.mkdir()
    (outside / "secret.txt").write_text(places.SECRET, encoding="utf-8")
    changes = [first, *chance.sample(CHANGES, chance.choice((0, 0, 1, 2)))]
    done: list[str] = []
    for change in sorted(changes, key=lambda each: each is _LAST):
        if change is _LAST and any(each.startswith("cache") for each in done):
            continue
        done.append(change(model, outside, chance))
    return f"{kind}: " + "; ".join(done)
