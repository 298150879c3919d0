"""The batch interface of OpenAI-compatible providers: files, batches, and their results.

`POST /files`, `POST /batches`, `GET /batches/ID`, `GET /files/ID/content`, as OpenAI documents them (2026-11: at most
50,000 requests and 200 MB in a file, a window of 24 hours, half the price); Azure, Together, Novita and vLLM's
`run-batch` format follow it. Together calls the purpose of a file otherwise and writes states in capitals.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import httpx

from dart.chat.transport import BYTES_PER_TOKEN, CONNECT_S, REPLY_BYTES, Secret, may_use_proxy
from dart.core.errors import ChatError
from dart.core.schema.profile import Endpoint
from dart.core.visible_text import one_line

MAX_REQUESTS, MAX_FILE_BYTES = 50_000, 100 << 20  # of one batch; half of the documented 200 MB
WINDOW = "24h"
TRANSFER_S = 600.0  # for a file
LIST_PAGES = 20  # of batches that are looked through for one that may have been accepted
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class NotAccepted(ChatError):
    """The provider has refused for certain, so nothing was billed."""


class RemoteBatch(NamedTuple):
    """The provider's view of a batch."""

    id: str
    status: str  # in OpenAI's words
    n_done: int
    n_total: int
    files: tuple[str, ...]  # results and errors
    problem: str  # of a batch that failed as a whole


class BatchResult(NamedTuple):
    """One line of a file of results."""

    key: str
    status: int
    body: bytes


class BatchApi:
    """Requests about batches to one endpoint; nothing of httpx leaves this class, whose exceptions hold the key."""

    def __init__(self, endpoint: Endpoint, secret: Secret | None) -> None:
        self._base_url = endpoint.base_url.rstrip("/")
        self._secret = secret
        self._max_line = REPLY_BYTES + BYTES_PER_TOKEN * endpoint.max_tokens
        self._purpose = "batch-api" if httpx.URL(self._base_url).host.endswith("together.xyz") else "batch"

    def upload(self, name: str, content: bytes) -> str:
        """Upload a file of requests and return its id."""
        form = {"purpose": self._purpose}
        if self._purpose != "batch":
            form["file_name"] = f"{name}.jsonl"
        files = {"file": (f"{name}.jsonl", content, "application/jsonl")}
        return self._text(self._json("POST", "/files", data=form, files=files), "id")

    def create(self, name: str, file_id: str) -> RemoteBatch:
        """Submit an uploaded file: from here on it is billed."""
        body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": WINDOW}
        return self._batch(self._json("POST", "/batches", json={**body, "metadata": {"dart": name}}))

    def get(self, batch_id: str) -> RemoteBatch:
        """The batch as it stands."""
        return self._batch(self._json("GET", f"/batches/{batch_id}"))

    def cancel(self, batch_id: str) -> None:
        """Ask the provider to stop; what it has answered by then is billed, and can be collected."""
        self._json("POST", f"/batches/{batch_id}/cancel")

    def find(self, file_id: str) -> RemoteBatch | None:
        """The batch that was made of a file, if the provider has accepted one."""
        after = ""
        for _ in range(LIST_PAGES):
            page = self._json("GET", f"/batches?limit=100{after}")
            entries = page if isinstance(page, list) else page.get("data") or []
            for entry in entries:
                if isinstance(entry, dict) and entry.get("input_file_id") == file_id:
                    return self._batch(entry)
            if isinstance(page, list) or not page.get("has_more") or not entries:
                return None
            after = f"&after={entries[-1]['id']}"
        return None

    def results(self, file_id: str, n_requests: int) -> Iterator[BatchResult]:
        """The lines of a file of results; what is no result is left out."""
        with tempfile.TemporaryFile() as file:
            self._download(file_id, file, (n_requests + 1) * self._max_line)
            file.seek(0)
            while line := file.readline(self._max_line + 1):
                result = self._result(line if self._secret is None else self._secret.scrub_bytes(line))
                if result is not None:
                    yield result

    def _result(self, line: bytes) -> BatchResult | None:
        try:
            entry = json.loads(line)
            response = entry.get("response") or {}
            body = response.get("body", response)
            status = int(response.get("status_code") or (500 if entry.get("error") else 200))
            return BatchResult(str(entry["custom_id"]), status, json.dumps(body).encode("utf-8", "surrogatepass"))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
            return None

    def _download(self, file_id: str, file: IO[bytes], max_bytes: int) -> None:
        problem = ""
        try:
            with self._client() as client, client.stream("GET", f"/files/{file_id}/content") as response:
                if response.status_code != 200 or "content-encoding" in response.headers:
                    problem = f"HTTP {response.status_code}"
                size = 0
                for chunk in response.iter_raw():
                    size += len(chunk)
                    if size > max_bytes:
                        problem = "larger than its answers can be"
                    if problem:
                        break
                    file.write(chunk)
        except httpx.TransportError as error:
            problem = type(error).__name__
        if problem:
            raise ChatError(
                f"{self._base_url}: the results of a batch cannot be read ({problem}). They stay there: run again."
            )

    def _json(self, method: str, path: str, **content: Any) -> Any:
        try:
            with self._client() as client:
                response = client.request(method, path, **content)
            text = response.text if self._secret is None else self._secret.scrub(response.text[:REPLY_BYTES])
        except (httpx.TransportError, httpx.DecodingError) as error:
            response, text = None, type(error).__name__
        if response is None or response.status_code >= 500 or response.status_code in (408, 429):
            status = "" if response is None else f"HTTP {response.status_code}: "
            raise ChatError(
                f"{self._base_url}{path.partition('?')[0]} does not answer ({status}{one_line(text, 200)}). Run again: "
                "batches that were submitted are collected, and nothing is asked twice."
            )
        if response.status_code >= 300:
            raise NotAccepted(
                f"{self._base_url}{path.partition('?')[0]} answers with HTTP {response.status_code}: "
                f"{one_line(text, 200)}. Not every provider and model has a batch interface: take this host out of "
                "DART_BATCH to ask one by one."
            )
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict | list):
            raise ChatError(f"{self._base_url}{path.partition('?')[0]} does not answer in JSON. Run again.")
        return value

    def _client(self) -> httpx.Client:
        headers = {"accept-encoding": "identity"}
        if self._secret is not None:
            headers["authorization"] = self._secret.bearer()
        return httpx.Client(
            base_url=self._base_url, headers=headers, trust_env=may_use_proxy(self._base_url),
            timeout=httpx.Timeout(TRANSFER_S, connect=CONNECT_S),
        )  # fmt: skip

    def _text(self, value: Any, field: str) -> str:
        text = value.get(field) if isinstance(value, dict) else None
        if not isinstance(text, str) or not text.replace("-", "").replace("_", "").isalnum():
            raise ChatError(f"{self._base_url} answers without a usable {field!r} of a file or batch.")
        return text

    def _batch(self, value: Any) -> RemoteBatch:
        value = value.get("job", value) if isinstance(value, dict) else {}
        counts = value.get("request_counts") or {}
        errors = (value.get("errors") or {}).get("data") if isinstance(value.get("errors"), dict) else None
        first = errors[0].get("message") if errors and isinstance(errors[0], dict) else value.get("error")
        done = [counts.get(name) for name in ("completed", "failed")]
        files = [value.get(name) for name in ("output_file_id", "error_file_id")]
        return RemoteBatch(
            self._text(value, "id"),
            str(value.get("status") or "").lower().replace("canceled", "cancelled"),
            sum(count for count in done if isinstance(count, int)),
            counts["total"] if isinstance(counts.get("total"), int) else 0,
            tuple(file for file in files if isinstance(file, str) and file),
            one_line(str(first or ""), 200),
        )
