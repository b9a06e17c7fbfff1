"""Memory of this process: how much is resident, and giving back what is free."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import Any


def resident_bytes() -> int:
    """How many bytes of this process are in memory now; 0 where the system does not say.

    Linux: /proc. macOS: the most there has been (getrusage). Windows: the working set.
    """
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "win32":
        return _windows_working_set()
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def trim_heap() -> None:
    """Return freed memory to the system, where the C library would hold on to it.

    glibc keeps what loading a model needed for a moment, several times its size. Elsewhere, and
    where there is no `malloc_trim`, nothing happens.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def _windows_working_set() -> int:
    class Counters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS of psapi.h."""

        _fields_ = [
            ("size", ctypes.c_ulong),
            ("page_faults", ctypes.c_ulong),
            *((name, ctypes.c_size_t) for name in ("peak_working_set", "working_set")),
            *((f"quota_{number}", ctypes.c_size_t) for number in range(6)),
        ]

    windll: Any = getattr(ctypes, "windll")  # noqa: B009 (there is none elsewhere)
    counters = Counters()
    counters.size = ctypes.sizeof(counters)
    kernel = windll.kernel32
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.size)
    return int(getattr(counters, "working_set"))  # noqa: B009 (a field that ctypes makes)
