"""Opening an engine from a bundle on disk; every file is verified before use."""

from dataclasses import dataclass, replace
from functools import partial

from edgeembed_runtime.bundle import Bundle, ImageTower, TextTower, Tower, Variant
from edgeembed_runtime.bundle.files import Check
from edgeembed_runtime.bundle.graph.room import Expected
from edgeembed_runtime.bundle.packaged import packaged_name
from edgeembed_runtime.bundle.signature import EMBEDDING
from edgeembed_runtime.bundle.towers import Trust
from edgeembed_runtime.engine.base import Engine
from edgeembed_runtime.engine.image import ImageEngine
from edgeembed_runtime.engine.memory import resident_bytes, trim_heap
from edgeembed_runtime.engine.padded import PaddedEngine
from edgeembed_runtime.engine.providers import Providers, input_shapes, short_name
from edgeembed_runtime.engine.schedule import Schedule
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.engine.static import StaticEngine
from edgeembed_runtime.engine.unpadded import UnpaddedEngine
from edgeembed_runtime.errors import BundleCorruptError, InputError
from edgeembed_runtime.inputs.text.word_tokenizer import load_tokenizer


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """What to open, and how: a bundle's variant, the providers, the schedule, the file check.

    With `proven`, its graph and its regular expressions need no bound in memory and time.
    """

    bundle: Bundle
    variant: Variant
    providers: Providers
    schedule: Schedule
    check: Check
    proven: bool = False

    @property
    def trust(self) -> Trust:
        """How far the bundle's files are trusted."""
        if packaged_name(self.bundle.path) is not None:
            return "own"
        return "proven" if self.proven else "none"


def open_text_engine(spec: EngineSpec) -> Engine:
    """Load one variant of a bundle's text tower.

    Raises:
        BundleCorruptError, BundleUnsafeError: a file is damaged, or the graph is unsafe.
        ProviderError: a provider did not load.
        InputError: the bundle has no text tower, or the variant cannot run on the provider.
    """
    trim_heap()  # reused free memory would make the model seem smaller than it is
    resident_before = resident_bytes()
    bundle, variant = spec.bundle, spec.variant
    tower = bundle.manifest.text_tower()
    data = bundle.read(tower.tokenizer, check=spec.check)
    name = f"bundle {bundle.path}: {tower.tokenizer}"
    tokenizer = load_tokenizer(data, tower, name, trust=spec.trust)
    open_session = partial(_open_graph, spec, tower, _expected_texts(spec, tower))
    match input_shapes(spec.providers):
        case "exact":
            return (StaticEngine if tower.static else UnpaddedEngine)(
                tokenizer=tokenizer,
                open_session=open_session,
                schedule=spec.schedule,
                resident_before=resident_before,
            )
        case _ if not variant.padding:
            raise InputError(
                f"variant: {variant.name} does not support padding and runs on the CPU only, got "
                f"the provider {short_name(spec.providers[0][0])}; choose another variant"
            )
        case shapes:
            return PaddedEngine(
                tokenizer=tokenizer,
                open_session=open_session,
                schedule=spec.schedule,
                fixed=shapes == "fixed",
            )


def open_image_engine(spec: EngineSpec) -> ImageEngine:
    """Load one variant of a bundle's image tower; raises like `open_text_engine`."""
    trim_heap()
    resident_before = resident_bytes()
    tower = spec.bundle.manifest.image_tower()
    return ImageEngine(
        preprocess=tower.preprocess,
        open_session=partial(_open_graph, spec, tower, _expected_images(spec, tower)),
        schedule=spec.schedule,
        deterministic=input_shapes(spec.providers) == "exact",
        resident_before=resident_before,
    )


def _expected_texts(spec: EngineSpec, tower: TextTower) -> Expected | None:
    expected = Expected.texts(tower.max_tokens, static=tower.static)
    return _limited(expected, spec)


def _expected_images(spec: EngineSpec, tower: ImageTower) -> Expected | None:
    expected = Expected.images(tower.preprocess.size)
    return _limited(expected, spec)


def _limited(expected: Expected, spec: EngineSpec) -> Expected | None:
    """With the memory limit, if any; None if there is nothing to check."""
    megabytes = spec.schedule.max_memory_mb
    if megabytes is None and spec.trust == "own":
        return None
    limit = None if megabytes is None else megabytes << 20
    return replace(expected, memory=limit, bounded=spec.trust != "proven")


def _open_graph(
    spec: EngineSpec, tower: Tower, inputs: Expected | None, settings: SessionSettings
) -> Session:
    bundle, file = spec.bundle, spec.variant.file
    name = f"bundle {bundle.path}: {file}"
    model = bundle.read(file, check=spec.check)
    session = Session(model, name, replace(settings, providers=spec.providers), expected=inputs)
    expected = {output: 2 if output == EMBEDDING else 3 for output in tower.outputs}
    dim = bundle.manifest.dim
    for output, axes in expected.items():
        shape = session.outputs.get(output, ())
        if len(shape) != axes or (output == EMBEDDING and shape[1] != dim):
            width = f"(n, {dim})" if output == EMBEDDING else "(n, t, width)"
            raise BundleCorruptError(
                f"{name}: expected an output {output} of shape {width}, found {session.outputs}"
            )
    return session
