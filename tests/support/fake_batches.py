"""An OpenAI-compatible server of chats and batches on 127.0.0.1, with a count of what it has answered and billed."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], dict[str, Any]]  # a request's body -> the reply's


def completion(text: str, finish_reason: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return {"model": "served", "choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}


def echo(body: dict[str, Any]) -> dict[str, Any]:
    return completion(f"answer to {body['messages'][-1]['content']}")


class FakeBatches:
    """State of the server.

    Attributes:
        looks: how often a batch says in_progress before it is completed.
        fails: path -> HTTP status that it gets once instead of an answer; the request has its effect all the same if
            the status is 502.
        status: how batches end.
        keep: share of a batch that is answered (an expired one has a rest).
    """

    def __init__(self, answer: Answer = echo) -> None:
        self.answer = answer
        self.looks = 1
        self.status = "completed"
        self.keep = 1.0
        self.fails: dict[str, int] = {}
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.left: Counter[str] = Counter()
        self.online: Counter[str] = Counter()  # by the last message
        self.batched: Counter[str] = Counter()
        self.cancelled: list[str] = []
        self.base_url = ""

    @property
    def paid(self) -> Counter[str]:
        return self.online + self.batched

    def submit(self, request: dict[str, Any]) -> dict[str, Any]:
        name = f"batch_{len(self.batches)}"
        lines = self.files[request["input_file_id"]].decode().splitlines()
        output = []
        for line in lines[: round(self.keep * len(lines))]:
            entry = json.loads(line)
            self.batched[entry["body"]["messages"][-1]["content"]] += 1
            reply = {"status_code": 200, "request_id": "r", "body": self.answer(entry["body"])}
            output.append(json.dumps({"id": "x", "custom_id": entry["custom_id"], "response": reply, "error": None}))
        self.files[f"{name}-output"] = "\n".join(reversed(output)).encode()  # in no order, as documented
        self.left[name] = self.looks
        counts = {"total": len(lines), "completed": len(output), "failed": 0}
        self.batches[name] = {**request, "id": name, "status": "in_progress", "request_counts": counts}
        return self.batches[name]

    def cancel(self, name: str) -> dict[str, Any]:
        """It ends as cancelled at the next look but one, with what was answered by then (`keep`)."""
        self.cancelled.append(name)
        self.status, self.left[name] = "cancelled", 1
        self.batches[name] |= {"status": "cancelling"}
        return self.batches[name]

    def look(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        self.left[name] -= 1
        if self.left[name] < 0:
            batch |= {"status": self.status, "output_file_id": f"{name}-output"}
            if self.status == "failed":
                batch |= {"output_file_id": None, "errors": {"data": [{"message": "model_not_batchable"}]}}
        return batch


@contextmanager
def running(state: FakeBatches) -> Iterator[FakeBatches]:
    """Serve in a thread; `state.base_url` says where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/v1")
            if content := re.fullmatch(r"/files/([^/]+)/content", path):
                self._send(path, state.files[content[1]])
            elif batch := re.fullmatch(r"/batches/([^/]+)", path):
                self._send(path, json.dumps(state.look(batch[1])).encode())
            elif path == "/batches":
                self._send(path, json.dumps({"data": list(state.batches.values()), "has_more": False}).encode())

        def do_POST(self) -> None:
            path = self.path.removeprefix("/v1")
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            if state.fails.get(path, 502) != 502:
                self._send(path, b"{}")
            elif path == "/files":
                boundary = self.headers["content-type"].partition("boundary=")[2].encode()
                parts = [part for part in content.split(b"--" + boundary) if b'name="file"' in part]
                name = f"file-{len(state.files)}"
                state.files[name] = parts[0].partition(b"\r\n\r\n")[2].strip()
                self._send(path, json.dumps({"id": name}).encode())
            elif batch := re.fullmatch(r"/batches/([^/]+)/cancel", path):
                self._send(path, json.dumps(state.cancel(batch[1])).encode())
            elif path == "/batches":
                self._send(path, json.dumps(state.submit(json.loads(content))).encode())
            else:
                body = json.loads(content)
                state.online[body["messages"][-1]["content"]] += 1
                self._send(path, json.dumps(state.answer(body)).encode())

        def _send(self, path: str, content: bytes) -> None:
            status = state.fails.pop(path, 200)
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
