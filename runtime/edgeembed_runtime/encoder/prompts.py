"""Prompts: text prepended to a model's inputs."""

from collections.abc import Mapping
from typing import Literal, cast

from edgeembed_runtime.arguments import checked_choice, shown
from edgeembed_runtime.bundle.towers import TextTower
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.validation import checked_text

Role = Literal["query", "document"]
"""The role of a text in search; models may have a prompt for each."""
ROLES: tuple[Role, ...] = ("query", "document")
# The prompt names that sentence-transformers looks for, in its order.
_NAMES: Mapping[Role, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}


def usual_prompt(prompts: Mapping[str, str], role: Role) -> str | None:
    """Return the name of the model's prompt for a role, or None.

    Raises:
        InputError: an unknown role.
    """
    known: Role = checked_choice(role, ROLES, "role")
    names = _NAMES[known]
    return next((name for name in names if name in prompts), None)


def prompt_text(
    tower: TextTower, prompt_name: str | None, prompt: str | None, role: Role | None
) -> str:
    """Return the prompt text: `prompt`, or the named one, or the model's prompt for a role.

    Without a role, the fallback is the model's default prompt. As in sentence-transformers, a model
    without a prompt for the role gets none, not even its default.

    Raises:
        InputError: the model has no prompt of that name, or `prompt` is not a string.
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
        raise InputError(f"prompt_name: expected one of the model's ({known}), got {shown(name)}")
    return tower.prompts[name]
