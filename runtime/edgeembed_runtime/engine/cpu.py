"""CPU features, and the number of CPUs this process may use."""

import ctypes
import functools
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def available_cpus() -> int:
    """Return the number of CPUs this process may use: min(affinity, cgroup quota), at least 1."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, min(allowed, int(quota)) if quota else allowed)


def cpu_quota() -> float | None:
    """Return the cgroup CPU quota (v2, then v1) in CPUs, or None if there is no limit.

    A group's limit applies to its descendants, so the lowest one up to the root counts.
    """
    limits = [quota for group in _groups() if (quota := _quota_v2(group)) is not None]
    return min(limits) if limits else _quota_v1()


def _groups() -> Iterator[Path]:
    """Yield this process's cgroup and its ancestors, the root last."""
    try:
        lines = _OWN_CGROUP.read_text().splitlines()
    except OSError:
        lines = []
    own = next((line[3:] for line in lines if line.startswith("0::/")), "/")
    inner = Path(own).relative_to("/")
    yield from (_CGROUP / part for part in (inner, *inner.parents) if part != Path())
    yield _CGROUP


def _quota_v2(group: Path) -> float | None:
    try:
        limit, period = (group / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        return None


def _quota_v1() -> float | None:
    try:
        quota_us = int((_CGROUP / "cpu/cpu.cfs_quota_us").read_text())
        period_us = int((_CGROUP / "cpu/cpu.cfs_period_us").read_text())
        return quota_us / period_us if quota_us > 0 else None
    except (OSError, ValueError):
        return None


@functools.cache
def cpu_features() -> frozenset[str]:
    """Return the CPU's features among avx2, avx512, vnni, amx, neon and dotprod.

    vnni means 8-bit dot products on x86 (AVX512-VNNI or AVX-VNNI), dotprod those on Arm. If
    detection fails the set is empty, and only variants without requirements are selected.
    """
    if platform.machine().lower() in ("arm64", "aarch64"):
        return _arm_features()
    if sys.platform == "linux":
        return _x86_features(_linux_flags())
    if sys.platform == "darwin":
        return _x86_features(_sysctl("machdep.cpu.features", "machdep.cpu.leaf7_features"))
    if sys.platform == "win32":
        # PF_AVX2_INSTRUCTIONS_AVAILABLE = 40 (winnt.h); Windows does not report VNNI.
        return frozenset({"avx2"} if ctypes.windll.kernel32.IsProcessorFeaturePresent(40) else ())
    return frozenset()


def _x86_features(flags: frozenset[str]) -> frozenset[str]:
    wanted = {
        "avx2": {"avx2"},
        "avx512": {"avx512f"},
        "vnni": {"avx512_vnni", "avx_vnni", "avx512vnni", "avxvnni"},
        "amx": {"amx_int8"},
    }
    return frozenset(name for name, any_of in wanted.items() if any_of & flags)


def _arm_features() -> frozenset[str]:
    if sys.platform == "linux" and "asimddp" not in _linux_flags():
        return frozenset({"neon"})
    return frozenset({"neon", "dotprod"})


def _linux_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(flags, "").split())


def _sysctl(*names: str) -> frozenset[str]:
    try:
        output = subprocess.run(
            ["/usr/sbin/sysctl", "-n", *names],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset(output.lower().replace(".", "_").split())
