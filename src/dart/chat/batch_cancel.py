"""Open batches, and an end to one that is no longer wanted: stopped at the provider, what it has answered is kept.

A batch that was submitted goes on without us for up to a day, and is billed for what it answers. Its requests stay
claimed and charged until somebody collects them, so to forget it here would save nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dart.chat.batch import BatchFetcher, OpenBatch
from dart.chat.batch_api import ENDED, BatchApi, NotAccepted
from dart.chat.cache import Origin, ResponseCache
from dart.chat.claims import is_alive, process_name
from dart.chat.transport import read_key
from dart.core.errors import ChatError
from dart.core.schema.profile import Endpoint


class BatchEntry(NamedTuple):
    """A batch that nobody has collected, as the cache knows it."""

    batch: OpenBatch
    origin: Origin
    n_requests: int


class Cancelled(NamedTuple):
    """What became of a batch: its last state, answers that are in the cache now, requests that nobody answered."""

    status: str
    answered: int
    released: int


def open_batches(cache: ResponseCache) -> list[BatchEntry]:
    """Every batch that was submitted, or perhaps was, and is not collected."""
    with cache.connection() as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'batches'").fetchone() is None:
            return []
        rows = connection.execute(
            "SELECT name, owner, file_id, remote_id, base_url, model, stage, "
            "(SELECT count(*) FROM batch_requests WHERE batch = name) FROM batches ORDER BY rowid"
        ).fetchall()
    return [BatchEntry(OpenBatch(*row[:4]), Origin(*row[4:7]), int(row[7])) for row in rows]


def endpoint_of(entry: BatchEntry, endpoints: Iterable[Endpoint | None]) -> Endpoint:
    """The endpoint that a batch was submitted to, which says where its key is and what an answer costs.

    Raises:
        ChatError: none of `endpoints` is it.
    """
    origin = entry.origin
    for endpoint in endpoints:
        for each in (endpoint, None if endpoint is None else endpoint.fallback):
            if each is not None and (each.base_url.rstrip("/"), each.model) == (origin.base_url, origin.model):
                return each
    raise ChatError(
        f"batch {entry.batch.name} was submitted to {origin.model} at {origin.base_url}, which is no party of this "
        "profile, so nothing says where its key is. Run the command where the profile names it."
    )


def cancel_batch(entry: BatchEntry, endpoint: Endpoint, cache: ResponseCache, poll_s: tuple[float, float]) -> Cancelled:
    """Stop a batch at the provider, wait until it has, and collect what it has answered.

    Nothing is billed for the rest: its claims and charges are given back, and a later run asks it anew.

    Args:
        poll_s: seconds between looks, from and to.

    Raises:
        ChatError: a run on this machine waits for the batch, or the provider does not answer; then it stays as it is.
    """
    return _Canceller(endpoint, BatchApi(endpoint, read_key(endpoint)), cache, entry.origin, poll_s).cancel(entry.batch)


class _Canceller(BatchFetcher):
    def cancel(self, batch: OpenBatch) -> Cancelled:
        self._require_unattended(batch)
        n_open = len(self._requests(batch))
        remote = self._remote(batch) if batch.remote_id is not None or batch.file_id is not None else None
        if remote is None:  # it never got there
            self._forget(batch, billed=False)
            return Cancelled("never submitted", 0, n_open)
        if remote.status not in ENDED:
            try:
                self._api.cancel(remote.id)
            except NotAccepted:  # it may have ended since
                if self._api.get(remote.id).status not in ENDED:
                    raise
            remote = self._wait(self._api.get(remote.id))
        self._store(batch, remote)
        answered = n_open - len(rest := self._requests(batch))
        self._forget(batch, billed=remote.status == "completed")  # as after any other end of a batch
        return Cancelled(remote.status, answered, len(rest))

    def _require_unattended(self, batch: OpenBatch) -> None:
        here = batch.owner.rpartition(":")[0].rpartition(":")[0] == process_name().rpartition(":")[0]
        if is_alive(batch.owner) and (here or (batch.remote_id is None and batch.file_id is None)):
            process = batch.owner.rpartition(":")[0].rpartition(":")[2]
            doing = "waits for" if here else "of another machine submits"
            raise ChatError(
                f"process {process} {doing} batch {batch.name}, and would submit its rest again: stop that run first "
                "(Ctrl-C is safe), then cancel."
            )
