"""Answers by batch, at half the price: the same requests under the same keys, fetched into the cache beforehand.

`DART_BATCH=api.openai.com` sends what a stage would ask there in batches, then the stage goes on as ever and finds the
answers in the cache: outs cannot differ. What is submitted stands in the cache's file, with its claims and charges,
before it is sent, so a run that is killed between submitting and collecting asks nothing twice: the next one collects.
Rounds of corrections are batches as well; a rest of a few requests is asked one by one.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import httpx

from dart.chat.batch_api import ENDED, MAX_FILE_BYTES, MAX_REQUESTS, BatchApi, NotAccepted, RemoteBatch
from dart.chat.cache import Origin, ResponseCache
from dart.chat.claims import Claims, is_alive, process_name
from dart.chat.ledger import Ledger
from dart.chat.request import ChatRequest, canonical_json
from dart.chat.response import ItemRefused, RefusedError, ReplyRules, TransientError, parse_response
from dart.chat.tasks import Rejected, Task
from dart.core.errors import ChatError
from dart.core.schema.profile import Endpoint

BATCH = "DART_BATCH"  # host names, separated by commas, that are asked by batch; "1": every host that is not local
PRICE = 0.5  # share of the list price
MIN_REQUESTS = 20  # fewer are asked one by one: a batch may take a day
MAX_ROUNDS = 10  # first questions and corrections
MAX_LOST_LOOKS = 5  # in a row, at a batch that the provider works on
POLL_S = (5.0, 60.0)  # from, to
CLAIM_S = 7 * 86_400.0  # longer than any window; the row of the batch is what counts

_TABLES = (
    """
CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY, base_url TEXT NOT NULL, model TEXT NOT NULL, stage TEXT NOT NULL,
    owner TEXT NOT NULL,  -- the process that submits it
    file_id TEXT,         -- at the provider; without it nothing was submitted
    remote_id TEXT        -- at the provider; without it nobody knows whether it was accepted
)
""",
    """
CREATE TABLE IF NOT EXISTS batch_requests (
    key TEXT PRIMARY KEY, batch TEXT NOT NULL, charge INTEGER NOT NULL  -- nano-dollars, of the ledger
) WITHOUT ROWID
""",
)


class OpenBatch(NamedTuple):
    """A batch that was submitted, or perhaps was, and is not collected."""

    name: str
    owner: str
    file_id: str | None
    remote_id: str | None


def wants_batches(endpoint: Endpoint) -> bool:
    """Whether the user asked for batches at this endpoint's host."""
    hosts = {name.strip().lower() for name in os.environ.get(BATCH, "").split(",")} - {""}
    host = httpx.URL(endpoint.base_url).host.lower()
    return host in hosts or ("1" in hosts and endpoint.base_url.startswith("https:"))


class BatchFetcher:
    """Fetches answers of one endpoint into the cache, for one stage.

    Args:
        poll_s: seconds between looks at a batch, from and to.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        api: BatchApi,
        cache: ResponseCache,
        origin: Origin,
        poll_s: tuple[float, float] = POLL_S,
    ) -> None:
        self._endpoint = endpoint
        self._api = api
        self._cache = cache
        self._origin = origin
        self._poll_s = poll_s
        self._ledger = Ledger(cache, endpoint, origin, PRICE)
        self._rules = ReplyRules.of(endpoint)

    def fetch(self, tasks: Sequence[Task[Any]], request_of: Callable[[Task[Any]], ChatRequest]) -> None:
        """Collect what was submitted before and, if the user wants batches here, submit what is missing.

        Returns when every answer that a batch can give is in the cache.

        Raises:
            ChatError: the provider does not answer, or refuses batches. What was submitted is collected later.
        """
        if not wants_batches(self._endpoint) and not self._has_tables():
            return
        with self._cache.connection() as connection:
            for table in _TABLES:
                connection.execute(table)
        replied: set[str] = set()  # what a batch cannot answer is not submitted again
        for _ in range(MAX_ROUNDS):
            pending = self._pending(tasks, request_of, replied)
            collected = self._collect(pending)
            if collected is not None:
                replied |= collected
                continue
            if not wants_batches(self._endpoint) or len(pending) < MIN_REQUESTS or not self._submit(pending):
                return

    def _has_tables(self) -> bool:
        with self._cache.connection() as connection:
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'batches'").fetchone() is not None

    def _pending(
        self, tasks: Sequence[Task[Any]], request_of: Callable[[Task[Any]], ChatRequest], replied: set[str]
    ) -> dict[str, ChatRequest]:
        requests = (open_request(task, request_of(task), self._cache) for task in tasks)
        return {request.key: request for request in requests if request is not None and request.key not in replied}

    def _collect(self, pending: Mapping[str, ChatRequest]) -> set[str] | None:
        """Wait for a batch that holds pending requests, and store its answers; None: there is no such batch."""
        batch = self._open_batch(pending)
        if batch is None:
            return None
        remote = self._remote(batch)
        if remote is None:
            self._forget(batch, billed=False)
            return set()
        remote = self._wait(remote)
        replied = self._store(batch, remote)
        if remote.status == "failed" and not replied:
            self._forget(batch, billed=False)
            raise ChatError(
                f"{self._origin.stage}: the provider refused the batch {remote.id}: {remote.problem or 'no reason'}. "
                f"Nothing was billed. Correct it, or take the host out of {BATCH} to ask one by one."
            )
        # What a completed batch does not account for may have been billed, and is not submitted again; of one that
        # expired or was cancelled the rest was not answered, and is.
        completed = remote.status == "completed"
        if completed:
            replied |= self._requests(batch).keys()
        self._forget(batch, billed=completed)
        return replied

    def _open_batch(self, pending: Mapping[str, ChatRequest]) -> OpenBatch | None:
        with self._cache.connection() as connection:
            rows = connection.execute("SELECT key, batch FROM batch_requests").fetchall()
            names = {name for key, name in rows if key in pending}
            row = None
            for name in sorted(names):
                query = "SELECT name, owner, file_id, remote_id FROM batches WHERE name = ?"
                row = row or connection.execute(query, (name,)).fetchone()
        return None if row is None else OpenBatch(*row)

    def _remote(self, batch: OpenBatch) -> RemoteBatch | None:
        """The batch at the provider; None if it never got there."""
        while batch.remote_id is None and batch.owner != _submitter() and is_alive(batch.owner):
            self._say(f"another process is submitting batch {batch.name}")
            time.sleep(self._poll_s[0])
            with self._cache.connection() as connection:
                query = "SELECT name, owner, file_id, remote_id FROM batches WHERE name = ?"
                row = connection.execute(query, (batch.name,)).fetchone()
            if row is None:
                return None
            batch = OpenBatch(*row)
        if batch.remote_id is not None:
            return self._api.get(batch.remote_id)
        remote = None if batch.file_id is None else self._api.find(batch.file_id)
        if remote is not None:
            self._update(batch.name, "remote_id", remote.id)
        return remote

    def _wait(self, remote: RemoteBatch) -> RemoteBatch:
        pause, failures = self._poll_s[0], 0
        while remote.status not in ENDED:
            self._say(f"batch {remote.id}: {remote.status}, {remote.n_done}/{remote.n_total} answered; Ctrl-C is safe")
            time.sleep(pause)
            pause = min(self._poll_s[1], pause * 1.5)
            try:
                remote, failures = self._api.get(remote.id), 0
            except NotAccepted:
                raise
            except ChatError:  # a day is long: one lost look is no reason to end
                failures += 1
                if failures > MAX_LOST_LOOKS:
                    raise
        return remote

    def _requests(self, batch: OpenBatch) -> dict[str, int]:
        """{key: charge} of its requests that nobody has collected."""
        with self._cache.connection() as connection:
            query = "SELECT key, charge FROM batch_requests WHERE batch = ?"
            return dict(connection.execute(query, (batch.name,)).fetchall())

    def _store(self, batch: OpenBatch, remote: RemoteBatch) -> set[str]:
        """Store the answers of a batch; keys of all requests that were replied to."""
        charges = self._requests(batch)
        replied: set[str] = set()
        stored = 0
        for file_id in remote.files:
            for result in self._api.results(file_id, len(charges)):
                if result.key not in charges or result.key in replied:
                    continue
                replied.add(result.key)
                stored += self._store_result(batch, result.key, charges[result.key], result.status, result.body)
        self._say(f"batch {remote.id}: {remote.status}, {stored} answers of {len(charges)} requests")
        return replied

    def _store_result(self, batch: OpenBatch, key: str, charge: int, status: int, body: bytes) -> bool:
        try:
            billed = True
            reply = parse_response(status, {}, body, self._endpoint.model, self._rules).without_reasoning()
        except ItemRefused as refused:
            reply, billed = refused.completion(self._endpoint.model), False
        except (TransientError, RefusedError):  # asked one by one, which says what to make of it
            if self._end(batch, key):
                self._ledger.settle(charge, None)
            return False
        complete = reply.incomplete_reason is None
        if complete:
            self._cache.put(key, reply, self._origin)
        if self._end(batch, key):
            self._ledger.settle(charge, reply if billed else None)
        return complete

    def _end(self, batch: OpenBatch, key: str) -> bool:
        """End a request of a batch; False: another process that collects it has ended it."""
        with self._cache.connection() as connection:
            ended = connection.execute("DELETE FROM batch_requests WHERE key = ? AND batch = ?", (key, batch.name))
        Claims(self._cache, owner=_owner(batch.name)).release([key])
        return bool(ended.rowcount)

    def _forget(self, batch: OpenBatch, *, billed: bool) -> None:
        """Remove a batch with its open requests and claims; charges come back unless they may be billed."""
        for key, charge in self._requests(batch).items():
            if self._end(batch, key) and not billed:
                self._ledger.settle(charge, None)
        with self._cache.connection() as connection:
            connection.execute("DELETE FROM batches WHERE name = ?", (batch.name,))

    def _submit(self, pending: Mapping[str, ChatRequest]) -> bool:
        """Submit what no other run asks and the budget allows; whether anything was."""
        name = secrets.token_hex(8)
        claims = Claims(self._cache, owner=_owner(name), lease_s=CLAIM_S)
        lines: list[bytes] = []
        size = 0
        with self._cache.connection() as connection:
            values = (name, *self._origin, _submitter())
            connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, NULL, NULL)", values)
            for key, request in pending.items():
                line = canonical_json(
                    {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": request.body}
                )
                if len(lines) == MAX_REQUESTS or size + len(line) > MAX_FILE_BYTES:
                    break
                if self._cache.has(key) or not claims.acquire(key):
                    continue
                charge = self._ledger.charge(request)
                if charge is None:
                    claims.release([key])
                    break
                connection.execute("INSERT OR REPLACE INTO batch_requests VALUES (?, ?, ?)", (key, name, charge))
                lines.append(line)
                size += len(line) + 1
        batch = OpenBatch(name, _submitter(), None, None)
        if len(lines) < MIN_REQUESTS:
            self._forget(batch, billed=False)
            return False
        try:
            file_id = self._api.upload(name, b"\n".join(lines) + b"\n")
            self._update(name, "file_id", file_id)
            remote = self._api.create(name, file_id)
        except NotAccepted:
            self._forget(batch, billed=False)
            raise
        self._update(name, "remote_id", remote.id)
        self._say(f"batch {remote.id}: {len(lines)} requests submitted at half the price")
        return True

    def _update(self, name: str, column: str, value: str) -> None:
        with self._cache.connection() as connection:
            connection.execute(f"UPDATE batches SET {column} = ? WHERE name = ?", (value, name))

    def _say(self, text: str) -> None:
        print(f"{self._origin.stage}: {text}", file=sys.stderr, flush=True)


def open_request(task: Task[Any], request: ChatRequest, cache: ResponseCache) -> ChatRequest | None:
    """The first request of a task's conversation that has no answer in the cache; None: it is at its end."""
    for _ in range(task.max_corrections + 1):
        answer = cache.get(request.key)
        if answer is None:
            return request
        if answer.refusal is not None:
            return None
        try:
            answer = answer.without_reasoning()
            task.check(answer.text)
        except Rejected as rejected:
            request = request.with_messages(
                {"role": "assistant", "content": answer.text}, {"role": "user", "content": rejected.problem}
            )
        else:
            return None
    return None


def _submitter() -> str:
    """This process in the form of an owner, which `is_alive` reads."""
    return f"{process_name()}:batch"


def _owner(name: str) -> str:
    return f"batch:{name}"
