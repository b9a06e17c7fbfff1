"""Set what the user asks for on sentence-transformers' own model, before it is read and run."""

from typing import TYPE_CHECKING, Any, cast

from edgeembed_converters.modules.pooling import LIBRARY_POOLINGS, Pooling
from edgeembed_converters.sources.base.options import SourceOptions

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_THEIRS = {ours: theirs for theirs, ours in LIBRARY_POOLINGS.items()}


def poolings(module: Any) -> tuple[Pooling, ...]:
    """The kinds of a module `Pooling`, in the order of concatenation."""
    mode = module.pooling_mode
    return tuple(LIBRARY_POOLINGS[each] for each in ([mode] if isinstance(mode, str) else mode))


def apply_options(
    options: SourceOptions, model: "SentenceTransformer", plain: bool
) -> tuple[str, ...]:
    """Change pooling, normalization and prompts of a model; returns what there is to say of it.

    `plain` means that its directory names no modules, so that its pooling is only assumed.
    """
    from sentence_transformers.sentence_transformer import modules as library

    notes = _apply_pooling(options, model, plain)
    if options.normalize is True and not isinstance(model[-1], library.Normalize):
        model.append(library.Normalize())
    while options.normalize is False and isinstance(model[-1], library.Normalize):
        del model[-1]
    if options.prompts is not None:
        cast(Any, model).prompts = {"query": "", "document": "", **options.prompts}
    if model.default_prompt_name not in model.prompts:
        model.default_prompt_name = None
    return notes


def _apply_pooling(
    options: SourceOptions, model: "SentenceTransformer", plain: bool
) -> tuple[str, ...]:
    from sentence_transformers.sentence_transformer import modules as library

    if not isinstance(model[1] if len(model) > 1 else None, library.Pooling):
        return ()
    module: Any = model[1]
    own = "+".join(poolings(module))
    if options.pooling is None:
        assumed = (
            f"the model names no pooling: {own} was assumed, as sentence-transformers does; pass "
            "pooling to change it"
        )
        return (assumed,) if plain else ()
    width = int(module.pooling_output_dimension) // len(poolings(module))
    model[1] = library.Pooling(width, cast(Any, _THEIRS[options.pooling]))
    if plain or own == options.pooling:
        return ()
    return (f"pooling {options.pooling}, as asked, instead of the model's own {own}",)
