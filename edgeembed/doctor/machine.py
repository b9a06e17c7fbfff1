"""Checks of the machine and of what is installed."""

import os
import platform
import sqlite3
import sys
from collections.abc import Iterator

from edgeembed.doctor.finding import Finding
from edgeembed_runtime._internal.ort import ort
from edgeembed_runtime.engine.cpu import available_cpus, cpu_features, cpu_quota
from edgeembed_runtime.index.ann.annoy_check import annoy_module, is_installed
from edgeembed_runtime.index.ann.registry import allowed_backends
from edgeembed_runtime.index.base.settings import IndexSettings
from edgeembed_runtime.version import __version__

# Older ones have known vulnerabilities; pyproject.toml requires the same.
_OLDEST_ONNXRUNTIME = (1, 24, 3)


def machine_findings() -> Iterator[Finding]:
    """Check the processor, threads, onnxruntime, approximate search and SQLite."""
    python = f"edgeembed {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield Finding.ok("version", python)
    yield _features()
    yield _threads()
    yield _onnxruntime()
    providers: list[str] = ort.get_available_providers()
    yield Finding.ok("providers", ", ".join(providers))
    yield _approximate_search()
    yield _sqlite()


def _features() -> Finding:
    features = ", ".join(sorted(cpu_features()))
    if not features:
        return Finding.note(
            "processor",
            f"{platform.machine()}, features unknown",
            "name a variant: none that needs a CPU feature is chosen automatically",
        )
    found = f"{platform.machine()}: {features}"
    if "vnni" not in cpu_features() and "neon" not in cpu_features():
        advice = "int8 is slower than on newer processors; compare with `edgeembed bench`"
        return Finding.note("processor", found, advice)
    return Finding.ok("processor", found)


def _threads() -> Finding:
    quota = cpu_quota()
    limit = "no quota" if quota is None else f"a quota of {quota:g}"
    found = f"{available_cpus()} of {os.cpu_count()} processors, {limit}"
    return Finding.ok("threads", found)


def _onnxruntime() -> Finding:
    version = tuple(int(part) for part in ort.__version__.split(".")[:3] if part.isdigit())
    if version < _OLDEST_ONNXRUNTIME:
        oldest = ".".join(map(str, _OLDEST_ONNXRUNTIME))
        advice = f"pip install 'onnxruntime>={oldest}'"
        return Finding.wrong("onnxruntime", ort.__version__, advice)
    return Finding.ok("onnxruntime", ort.__version__)


def _approximate_search() -> Finding:
    backends = allowed_backends(IndexSettings())
    found = [backend.name for backend in backends if backend.is_available()]
    if is_installed() and annoy_module() is None:
        return Finding.wrong(
            "approximate search",
            ", ".join([*found, "annoy is installed, but fails in a child process"]),
            "reinstall it on this machine: pip install --force-reinstall --no-cache annoy",
        )
    if found:
        return Finding.ok("approximate search", ", ".join(found))
    return Finding.note(
        "approximate search",
        "none of " + ", ".join(backend.name for backend in backends),
        "every search is exact; for large indexes: pip install "
        + ("'edgeembed[faiss]'" if sys.platform == "linux" else "'edgeembed[usearch]'"),
    )


def _sqlite() -> Finding:
    with sqlite3.connect(":memory:") as connection:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    connection.close()
    if "ENABLE_FTS5" in options:
        return Finding.ok("sqlite", f"{sqlite3.sqlite_version}, with FTS5")
    return Finding.note(
        "sqlite",
        f"{sqlite3.sqlite_version}, without FTS5",
        "keyword and hybrid search need a Python whose SQLite has FTS5",
    )
