"""From a bundle on disk to a running engine; every file is checked before it is used."""

from dataclasses import replace
from functools import partial

from edgeembed_runtime.bundle import Bundle, Variant
from edgeembed_runtime.bundle.files import Check
from edgeembed_runtime.bundle.graph import check_graph
from edgeembed_runtime.engine.engine import EMBEDDING, Engine
from edgeembed_runtime.engine.exact_engine import ExactEngine
from edgeembed_runtime.engine.memory import give_back_freed_memory, resident_bytes
from edgeembed_runtime.engine.padded_engine import PaddedEngine
from edgeembed_runtime.engine.providers import Providers, input_shapes, short_name
from edgeembed_runtime.engine.schedule import Schedule
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.errors import BundleCorruptError, InputError
from edgeembed_runtime.inputs.tokenizer import TextTokenizer


def open_engine(
    bundle: Bundle, variant: Variant, *, providers: Providers, schedule: Schedule, check: Check
) -> Engine:
    """Load one variant of a bundle's text tower.

    Raises:
        BundleCorruptError, BundleUnsafeError: a file is damaged, or the graph may not be run.
        ProviderError: a provider did not load.
        InputError: the variant cannot run on the provider.
    """
    give_back_freed_memory()  # or the model would seem to need less than it does
    resident_before = resident_bytes()
    tower = bundle.manifest.text
    data = bundle.read(tower.tokenizer, check=check)
    name = f"bundle {bundle.path}: {tower.tokenizer}"
    tokenizer = TextTokenizer.from_bytes(data, tower.max_tokens, name)
    open_session = partial(_open_graph, bundle, variant.file, check, providers)
    match input_shapes(providers):
        case "exact":
            return ExactEngine(
                tokenizer=tokenizer,
                open_session=open_session,
                schedule=schedule,
                resident_before=resident_before,
            )
        case _ if not variant.padding:
            raise InputError(
                f"variant: {variant.name} takes no padding and runs on the CPU only, got the "
                f"provider {short_name(providers[0][0])}; name another variant"
            )
        case shapes:
            return PaddedEngine(
                tokenizer=tokenizer,
                open_session=open_session,
                schedule=schedule,
                fixed=shapes == "fixed",
            )


def _open_graph(
    bundle: Bundle, file: str, check: Check, providers: Providers, settings: SessionSettings
) -> Session:
    name = f"bundle {bundle.path}: {file}"
    model = bundle.read(file, check=check)
    check_graph(model, name)
    session = Session(model, name, replace(settings, providers=providers))
    if set(session.inputs) != {"input_ids", "attention_mask"}:
        raise BundleCorruptError(
            f"{name}: expected the inputs input_ids and attention_mask, "
            f"found {', '.join(session.inputs)}"
        )
    expected = {output: 2 if output == EMBEDDING else 3 for output in bundle.manifest.text.outputs}
    dim = bundle.manifest.dim
    for output, axes in expected.items():
        shape = session.outputs.get(output, ())
        if len(shape) != axes or (output == EMBEDDING and shape[1] != dim):
            width = f"(n, {dim})" if output == EMBEDDING else "(n, t, width)"
            raise BundleCorruptError(
                f"{name}: expected an output {output} of shape {width}, found {session.outputs}"
            )
    return session
