"""A chat server on a real socket, in a process or thread of its own: with latency, faults, and a log of its answers.

`python -m tests.support.fake_server --latency-s 0.1 --faults 0.3` prints its port and serves until it is killed.
Faults are drawn by a hash of the request and of how often it has come, so a run can be repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dart.core.seeds import digest, unit_interval

Body = dict[str, Any]
KINDS = (
    "429 burst", "500", "503", "stalled", "reset in the body", "truncated body", "prose around the answer", "empty",
    "length",
)  # fmt: skip
PROSE = "Here is my answer: {} I hope that this helps."
BURST = 4  # a 429 hits this many requests in a row, whatever they ask


class Served(NamedTuple):
    """One request as the server saw it; `valid`: a whole answer that any client should be content with."""

    request: str
    kind: str
    valid: bool


class Server:
    """Answers chat requests with `answer(body)`; a share of `faults` of the requests gets one of `KINDS` instead.

    Args:
        stalls: how many requests are stalled at most, the others of this kind get a 503; None: no limit. A client whose
            deadline a busy machine cannot miss by accident waits long for each.
    """

    def __init__(
        self,
        answer: Callable[[Body], str],
        latency_s: float = 0.0,
        faults: float = 0.0,
        kinds: tuple[str, ...] = KINDS,
        log: Path | None = None,
        stalls: int | None = None,
    ) -> None:
        self._stalls = stalls
        self._answer, self._latency_s, self._faults, self._kinds, self._log = answer, latency_s, faults, kinds, log
        self._times: Counter[str] = Counter()
        self._burst = 0
        self._open: set[asyncio.Task[Any]] = set()
        self.served: list[Served] = []
        self.port = 0

    async def serve(self, started: Callable[[], None], stop: asyncio.Event) -> None:
        """Listen on a free port of this machine until `stop`."""
        listening = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        started()
        await stop.wait()
        listening.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        self._open.discard(task)
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        raw = await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
        name = digest(raw.decode())
        self._times[name] += 1
        kind = self._kind(name)
        await asyncio.sleep(3600 if kind == "stalled" else self._latency_s)
        if kind in ("429 burst", "500", "503"):
            self._note(name, kind, False)
            _write(writer, int(kind[:3]), {"error": {"message": kind}})
            await writer.drain()
            return True
        text, finish, wrapped = self._answer(json.loads(raw)), "stop", False
        if kind == "prose around the answer":
            wrapped, text = True, PROSE.format(text)
        elif kind == "empty":
            text = ""
        elif kind == "length":
            text, finish = text[: len(text) // 2], "length"
        cut = {"reset in the body": 60, "truncated body": -15}.get(kind)
        self._note(name, kind, valid=cut is None and text != "" and finish == "stop" and not wrapped)
        _write(writer, 200, _completion(text, finish), cut, declare_all=kind == "reset in the body")
        await writer.drain()
        if kind == "reset in the body":
            writer.transport.abort()
            return False
        return True

    def _kind(self, name: str) -> str:
        if self._burst:
            self._burst -= 1
            return "429 burst"
        draw = unit_interval("fault", name, self._times[name])
        if draw >= self._faults:
            return "answer"
        kind = self._kinds[int(draw / self._faults * len(self._kinds))]
        if kind == "429 burst":
            self._burst = BURST - 1
        if kind == "stalled" and self._stalls is not None:
            self._stalls -= 1
            return kind if self._stalls >= 0 else "503"
        return kind

    def _note(self, name: str, kind: str, valid: bool) -> None:
        self.served.append(Served(name, kind, valid))
        if self._log:
            with self._log.open("a", encoding="utf-8") as stream:
                stream.write(f"{name} {int(valid)} {kind}\n")


def _completion(text: str, finish: str) -> Body:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {"model": "served", "choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}


def _write(
    writer: asyncio.StreamWriter, status: int, value: Body, cut: int | None = None, declare_all: bool = False
) -> None:
    content = json.dumps(value).encode()
    sent = content if cut is None else content[:cut]
    size = len(content) if declare_all else len(sent)
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
    writer.write(head.encode() + sent)


@contextlib.contextmanager
def running(server: Server) -> Iterator[str]:
    """Serve in a thread; yields the base_url."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve(ready.set, stop)))
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{server.port}/v1"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def echo(body: Body) -> str:
    return f"Answer to {body['messages'][0]['content']}"  # whatever corrections follow


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-s", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    server = Server(echo, options.latency_s, options.faults, log=options.log)

    async def forever() -> None:
        await server.serve(lambda: print(server.port, flush=True), asyncio.Event())

    asyncio.run(forever())


if __name__ == "__main__":
    main()
