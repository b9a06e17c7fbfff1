"""The servers: how each is started, and where it takes texts. All answer numbers, not base64."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.model_and_texts import model_directory

ROOT = Path(__file__).parents[2]
PEERS = Path(__file__).with_name("peers")
READY_S = 120
_NAME = "all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Side:
    """A server. `command` has PORT and MODEL to be filled in; `env` is the folder of its Python."""

    command: tuple[str, ...]
    path: str = "/v1/embeddings"
    env: str = "current"
    packages: tuple[str, ...] = ()

    def python(self, envs: Path) -> Path:
        return Path(sys.executable) if self.env == "current" else envs / self.env / "bin" / "python"


SIDES = {
    "edgeembed": Side(
        ("PYTHON", "-m", "edgeembed", "serve", "--port", "PORT"),
        packages=("edgeembed", "onnxruntime", "starlette", "uvicorn"),
    ),
    "infinity": Side(
        (
            *(
                "PYTHON",
                "-c",
                "from infinity_emb.cli import cli; cli()",
                "v2",
                "--model-id",
                "MODEL",
            ),
            *("--port", "PORT", "--host", "127.0.0.1"),
            *("--served-model-name", _NAME, "--device", "cpu", "--log-level", "warning"),
        ),
        path="/embeddings",
        env="infinity",
        packages=("infinity-emb", "torch", "transformers", "sentence-transformers"),
    ),
    "fastapi": Side(
        (
            *("PYTHON", "-m", "uvicorn", "--factory", "fastapi_app:app", "--port", "PORT"),
            *("--app-dir", str(PEERS), "--log-level", "warning"),
        ),
        env="fastapi",
        packages=("fastapi", "uvicorn", "torch", "transformers", "sentence-transformers"),
    ),
}


def body(texts: Sequence[str]) -> str:
    return json.dumps({"model": _NAME, "input": list(texts)})


class Server:
    """A server that runs."""

    def __init__(self, side: Side, envs: Path, port: int, extra: Sequence[str] = ()) -> None:
        values = {"PYTHON": side.python(envs), "PORT": port, "MODEL": model_directory()}
        command = [str(values.get(word, word)) for word in side.command]
        self.url = f"http://127.0.0.1:{port}"
        self.path = side.path
        kept = {k: v for k, v in os.environ.items() if side.env == "current" or k != "PYTHONPATH"}
        environment = {**kept, "MODEL": str(model_directory()), "ANONYMIZED_TELEMETRY": "0"}
        self.log = envs / "logs" / f"server-{port}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as said:
            self.process = subprocess.Popen(
                [*command, *extra], stdout=said, stderr=said, env=environment
            )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                self.ask(["ready?"])
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        said = self.log.read_text(errors="replace").strip().splitlines() or ["nothing said"]
        self.stop()
        raise RuntimeError(f"{self.url} does not answer: {said[-1]}")

    def ask(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors, by one request of its own."""
        request = urllib.request.Request(
            self.url + self.path,
            body(texts).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return [row["embedding"] for row in json.load(answer)["data"]]

    def resident_mb(self) -> float:
        """Resident memory of the process and its children."""
        return sum(map(_resident_mb, [self.process.pid, *_children(self.process.pid)]))

    def stop(self) -> int:
        """Ask it to stop, and wait; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@contextmanager
def serving(side: Side, envs: Path, port: int, extra: Sequence[str] = ()) -> Iterator[Server]:
    server = Server(side, envs, port, extra)
    try:
        yield server
    finally:
        server.stop()


def _children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == pid:
            child = int(status.parent.name)
            found += [child, *_children(child)]
    return found


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
