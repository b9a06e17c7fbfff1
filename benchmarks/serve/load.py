"""Load by locust, in a process of its own, and the figures of what it met."""

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serve.sides import Server

PROCESS = Path(__file__).with_name("locust_process.py")


@dataclass(frozen=True)
class Met:
    """What the requests of a group met, from `warm_up_s` on."""

    started: np.ndarray
    """Seconds from the start of the load."""
    took: np.ndarray
    status: np.ndarray
    seconds: float

    def figures(self) -> dict[str, Any]:
        """Requests a second and the percentiles of those that were answered, in ms."""
        ms = 1000 * self.took[self.status == 200]
        figures: dict[str, Any] = {
            "sent": len(self.status),
            "status": {str(key): n for key, n in sorted(Counter(self.status.tolist()).items())},
            "per_second": round(len(ms) / self.seconds, 1),
        }
        if len(ms):
            for name, share in (("p50", 50), ("p90", 90), ("p99", 99), ("p999", 99.9)):
                figures[f"{name}_ms"] = round(float(np.percentile(ms, share)), 2)
            figures["max_ms"] = round(float(ms.max()), 2)
        return figures


@dataclass(frozen=True)
class Load:
    """What every group met, and the processor time that locust took."""

    groups: Mapping[str, Met]
    cpu_s: float
    stopped: float


def load(
    python: Path,
    server: Server,
    groups: Mapping[str, Mapping[str, Any]],
    *,
    seconds: float,
    warm_up_s: float = 1.0,
    drain_s: float = 0.0,
) -> Load:
    """Put load on a server for `seconds` after `warm_up_s`, of which nothing is counted.

    Args:
        python: of locust's environment.
        server: where to.
        groups: by name: `bodies`, and `clients` for a closed loop or `rate` for an open one.
        seconds: how long it sends.
        warm_up_s: before that.
        drain_s: how long open groups wait for answers after that.
    """
    plan = {
        "url": server.url,
        "path": server.path,
        "groups": groups,
        "seconds": seconds + warm_up_s,
        "drain_s": drain_s,
    }
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "plan.json", Path(folder) / "met.json"
        asked.write_text(json.dumps(plan))
        subprocess.run(
            [python, "-W", "ignore", PROCESS, asked, answered],
            check=True,
            capture_output=True,
            timeout=seconds + warm_up_s + drain_s + 300,
        )
        found = json.loads(answered.read_text())
    met = {
        name: _counted(rows, warm_up_s, found["stopped"], closed="clients" in groups[name])
        for name, rows in found["groups"].items()
    }
    return Load(met, found["cpu_s"], found["stopped"])


def _counted(
    rows: Sequence[Sequence[float]], warm_up_s: float, stopped: float, closed: bool
) -> Met:
    """Of a closed loop, what was answered between warm-up and stop; of an open one, sent then."""
    table = np.array(rows, dtype=float).reshape(-1, 3)
    when = table[:, 0] + table[:, 1] if closed else table[:, 0]
    table = table[(when >= warm_up_s) & (when <= stopped)]
    return Met(table[:, 0], table[:, 1], table[:, 2].astype(int), stopped - warm_up_s)
