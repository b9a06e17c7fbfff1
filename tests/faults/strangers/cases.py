"""The cases by number: small files that ask for memory or time.

Case n is the same in every run. The hashes in each manifest are right: only the checks stand
between the files and the libraries that read them.
"""

import random
import shutil

from faults.strangers.graphs import GRAPHS
from faults.strangers.manifests import MANIFESTS
from faults.strangers.tokenizers import TOKENIZERS
from faults.strangers.wire_formats import FILES

KINDS = (*GRAPHS, *FILES, *TOKENIZERS, *MANIFESTS)
# Words that hostile expressions and normalizers wait for.
TEXTS = ("the cat sat on the mat", "a" * 3000, "aX" * 200, " " * 3000, "1234567890" * 200)
MAX_BYTES = 1_000_000


def write_case(number, folder, template):
    """Write hostile bundle `number` into `folder`, a copy of the tiny bundle `template`."""
    chance = random.Random(f"hostile {number}")
    shutil.copytree(template, folder)
    kind = KINDS[number % len(KINDS)]
    what = kind(folder, chance)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MAX_BYTES, kind.__name__
    return f"{kind.__name__}{'' if what is None else f' {what}'}"
