"""A hub on 127.0.0.1 that takes repositories: what huggingface_hub sends to create one and to commit a folder to it.

Every file is asked for inline, so that what was committed can be compared byte by byte. A card is refused where its
front matter is: the hub validates README.md before a commit.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

_PREUPLOAD = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)/preupload/main")
_COMMIT = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)/commit/main")


class UploadHub(NamedTuple):
    endpoint: str
    files: dict[str, dict[str, bytes]]  # {"models/owner/name": {path: content}}
    private: dict[str, bool]
    tokens: set[str]
    paths: list[str]  # of all requests


@contextmanager
def upload_hub(refuse: str = "") -> Iterator[UploadHub]:
    """Take whatever is sent.

    Args:
        refuse: the name of a repository that the token may not write to.
    """
    hub = UploadHub("", {}, {}, set(), [])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hub.paths.append(self.path)
            hub.tokens.add(self.headers.get("Authorization", ""))
            path = self.path.partition("?")[0]
            if path == "/api/repos/create":
                self._create(json.loads(body))
            elif path == "/api/validate-yaml":
                content = json.loads(body)["content"]
                valid = content.startswith("---\n") and "\nlicense:" in content
                self._send(
                    200 if valid else 400, {"errors": [] if valid else [{"message": "no license"}], "warnings": []}
                )
            elif match := _PREUPLOAD.fullmatch(path):
                files = [{"path": f["path"], "uploadMode": "regular"} for f in json.loads(body)["files"]]
                self._send(200, {"files": [{**f, "shouldIgnore": False} for f in files]})
            elif match := _COMMIT.fullmatch(path):
                self._commit(f"{match[1]}/{match[2]}", body)
            else:
                self._send(404, {"error": path})

        def do_GET(self) -> None:
            hub.paths.append(self.path)
            self._send(404, {"error": self.path})

        def _create(self, asked: dict[str, Any]) -> None:
            name = f"{asked.get('type', 'model')}s/{asked['organization']}/{asked['name']}"
            if asked["name"] == refuse:
                self._send(403, {"error": "You don't have the rights to create a model under this namespace"})
                return
            hub.private[name] = asked.get("private", asked.get("visibility") == "private")
            self._send(200, {"url": f"{hub.endpoint}/{asked['organization']}/{asked['name']}"})

        def _commit(self, name: str, body: bytes) -> None:
            for line in map(json.loads, body.decode().splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    hub.files.setdefault(name, {})[line["value"]["path"]] = content
            address = name.removeprefix("models/")  # as the hub has it: of a data set alone the kind is named
            self._send(200, {"commitUrl": f"{hub.endpoint}/{address}/commit/{'a' * 40}", "commitOid": "a" * 40})

        def _send(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        hub = hub._replace(endpoint=f"http://127.0.0.1:{server.server_address[1]}")
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
