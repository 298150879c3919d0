"""A hub of models on 127.0.0.1: what huggingface_hub asks for to pin a revision and to download its files.

`HF_ENDPOINT` leads there. Each model has one commit, which `main` is; what was requested is kept, so that a test can
say from which revision files came.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

_API = re.compile(r"/api/models/(?P<model>[^/]+/[^/]+)(?:/revision/(?P<revision>[^/?]+))?(?:\?.*)?$")
_FILE = re.compile(r"/(?P<model>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>[^?]+)")


class HubModel(NamedTuple):
    """A checkpoint folder under the name of a hub, at one commit."""

    folder: Path
    commit: str


class FakeHub(NamedTuple):
    endpoint: str
    requests: list[tuple[str, str, str]]  # (model, revision, file; the file is empty for the model's own page)


@contextmanager
def fake_hub(models: Mapping[str, HubModel]) -> Iterator[FakeHub]:
    """Serve `models` by id, e.g. "owner/name"."""
    requests: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, *, with_body: bool) -> None:
            if page := _API.match(self.path):
                self._model(page["model"], page["revision"] or "main", with_body)
            elif file := _FILE.match(self.path):
                self._file(file["model"], file["revision"], file["file"], with_body)
            else:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, with_body)

        def _known(self, model: str, revision: str, file: str, with_body: bool) -> HubModel | None:
            requests.append((model, revision, file))
            entry = models.get(model)
            if entry is None or revision not in ("main", entry.commit):
                code = "RepoNotFound" if entry is None else "RevisionNotFound"
                self._send(404, b"", {"X-Error-Code": code}, with_body)
                return None
            return entry

        def _model(self, model: str, revision: str, with_body: bool) -> None:
            if entry := self._known(model, revision, "", with_body):
                files = sorted(entry.folder.iterdir())
                siblings = [{"rfilename": path.name, "size": path.stat().st_size} for path in files]
                card = {"id": model, "sha": entry.commit, "private": False, "tags": [], "siblings": siblings}
                self._send(200, json.dumps(card).encode(), {"Content-Type": "application/json"}, with_body)

        def _file(self, model: str, revision: str, name: str, with_body: bool) -> None:
            if entry := self._known(model, revision, name, with_body):
                path, commit = entry.folder / name, {"X-Repo-Commit": entry.commit}
                if path.is_file():
                    content = path.read_bytes()
                    self._send(200, content, {**commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}, with_body)
                else:
                    self._send(404, b"", {**commit, "X-Error-Code": "EntryNotFound"}, with_body)

        def _send(self, status: int, body: bytes, headers: Mapping[str, str], with_body: bool) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield FakeHub(f"http://127.0.0.1:{server.server_address[1]}", requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
