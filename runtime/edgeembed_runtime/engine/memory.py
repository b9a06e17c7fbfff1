"""This process's memory: how much is resident, and returning freed memory to the system."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import Any


def resident_bytes() -> int:
    """Return this process's resident memory in bytes.

    Linux: current, from /proc. macOS: the peak (getrusage). Windows: the working set, or 0 if the
    system does not report it.
    """
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "win32":
        return _windows_working_set()
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def free_bytes() -> int | None:
    """Return how much memory programs can still take without swapping; None if unknown.

    Linux: from /proc. Elsewhere with POSIX: all physical memory. Windows: None.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in Path("/proc/meminfo").read_text().splitlines():
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) << 10
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def trim_heap() -> None:
    """Return freed heap memory to the system (glibc only; a no-op elsewhere).

    Otherwise glibc keeps the temporary memory from loading a model, several times its size.
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

    windll: Any = getattr(ctypes, "windll")  # noqa: B009 (missing on other systems)
    counters = Counters()
    counters.size = ctypes.sizeof(counters)
    kernel = windll.kernel32
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.size)
    return int(getattr(counters, "working_set"))  # noqa: B009 (ctypes adds the field at runtime)
