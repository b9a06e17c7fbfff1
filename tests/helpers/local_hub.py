"""A Hugging Face Hub on this machine: the few answers that downloading a model asks for."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Answers(BaseHTTPRequestHandler):
    """Lists the files of a model, and gives one; `models` and `asked` belong to the server."""

    server: Any

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def log_message(self, *args):
        pass

    def _answer(self, body):
        path = unquote(urlsplit(self.path).path).strip("/")
        for hub_id, folder in self.server.models.items():
            if path.startswith(f"api/models/{hub_id}"):
                self._send(_listing(hub_id, folder, path), body)
                return
            name = path.removeprefix(f"{hub_id}/resolve/").partition("/")[2]
            if path.startswith(f"{hub_id}/resolve/") and (folder / name).is_file():
                if body:
                    self.server.asked.append(f"{hub_id}/{name}")
                data = (folder / name).read_bytes()
                tag = f'"{hashlib.sha256(data).hexdigest()}"'
                self._send(data, body, {"ETag": tag, "X-Repo-Commit": COMMIT})
                return
        self.send_error(404)

    def _send(self, data, body, headers=None):
        self.send_response(200)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


def _listing(hub_id, folder, path):
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    tree: Any = {"id": hub_id, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
    if "/tree/" in path:
        sizes = {name: (folder / name).stat().st_size for name in names}
        tree = [{"type": "file", "path": n, "size": s, "oid": n} for n, s in sizes.items()]
    return json.dumps(tree).encode()


@contextmanager
def served(models: Mapping[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """Serve directories by their ids: the address, and a list of the files that are taken."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.models, server.asked = models, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
