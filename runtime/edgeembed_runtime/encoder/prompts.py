"""Prompts: text that a model wants before its inputs."""

from collections.abc import Mapping
from typing import Literal, cast

from edgeembed_runtime.bundle.towers import TextTower
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.validation import checked_text

Role = Literal["query", "document"]
# The names under which sentence-transformers says it looks for a prompt, in its order.
_NAMES: Mapping[Role, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}


def usual_prompt(prompts: Mapping[str, str], role: Role) -> str | None:
    """The name of the model's prompt for a role, or None."""
    return next((name for name in _NAMES[role] if name in prompts), None)


def prompt_text(
    tower: TextTower, prompt_name: str | None, prompt: str | None, role: Role | None
) -> str:
    """The text to put before an input: `prompt` itself, or the one named, or the model's default.

    For a role it is the model's prompt for that. As in sentence-transformers, a model without one
    puts nothing there, not even its default prompt.

    Raises:
        InputError: the model has no prompt of that name, or `prompt` is no text.
    """
    if prompt is not None:
        return checked_text(prompt, "prompt")
    if prompt_name is None and role is not None:
        name = usual_prompt(tower.prompts, role)
        return tower.prompts[name] if name else ""
    name = tower.default_prompt_name if prompt_name is None else prompt_name
    if name is None:
        return ""
    if not isinstance(cast(object, name), str) or name not in tower.prompts:
        known = ", ".join(tower.prompts) or "none"
        raise InputError(f"prompt_name: expected one of the model's own ({known}), got {name!r}")
    return tower.prompts[name]
