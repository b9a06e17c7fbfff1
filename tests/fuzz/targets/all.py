"""Every target by its name."""

from collections.abc import Mapping

from fuzz.engine.target import Target
from fuzz.targets.bundles import BUNDLE_TARGETS
from fuzz.targets.indexes import INDEX_TARGETS
from fuzz.targets.inputs import INPUT_TARGETS
from fuzz.targets.models import MODEL_TARGETS

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (*BUNDLE_TARGETS, *INDEX_TARGETS, *INPUT_TARGETS, *MODEL_TARGETS)
}
