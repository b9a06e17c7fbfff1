"""Whether Annoy works on this machine, tried in a child process because it can die by a signal."""

import functools
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

_TIMEOUT_S = 30
# An Annoy that was built on another CPU dies of SIGILL at its first distance, not at its import.
# The child gets the package's folder as an argument, because -I ignores the parent's path settings.
_SELF_TEST = """
import sys
sys.path.insert(0, sys.argv[1])
from annoy import AnnoyIndex
a = AnnoyIndex(33, "angular")
a.set_seed(1)
for i in range(200):
    a.add_item(i, [((i * 7919 + j * 104729) % 1009) / 1009 - 0.5 for j in range(33)])
a.build(3, n_jobs=1)
assert a.get_nns_by_item(5, 1, 400) == [5]
print("works")
"""


def annoy_module() -> ModuleType | None:
    """The annoy module; None where it is not installed or does not work on this CPU.

    The first call in a process runs a child process, for about 0.1 s.
    """
    location = _location()
    if location is None or not _works(location):
        return None
    try:
        import annoy
    except ImportError:
        return None
    return annoy


def is_installed() -> bool:
    """Whether annoy is installed, working or not."""
    return _location() is not None


def _location() -> str | None:
    try:
        spec = importlib.util.find_spec("annoy")
    except (ImportError, ValueError):  # ValueError: made unimportable in sys.modules
        return None
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).parent.parent)


@functools.cache
def _works(location: str) -> bool:
    # In a frozen application sys.executable is the application itself: never start it again.
    if getattr(sys, "frozen", False) or not sys.executable:
        return False
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-c", _SELF_TEST, location],
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return child.returncode == 0 and child.stdout.strip() == b"works"
