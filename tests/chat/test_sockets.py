"""The real network path: sockets, broken bodies, stalled servers; connections are reused and survive a timeout."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.retry import Backoff
from tests.support.fake_endpoint import endpoint, reply, tasks

STALLED = (0, 25, 50, 75)
TIMEOUT_S = 3.0  # that a busy machine does not miss by accident: a whole answer takes milliseconds


class Server:
    """Answers every question; its first sending is stalled (a few), cut in the body, or reset, by turns."""

    def __init__(self) -> None:
        self.connections = 0
        self.seen: dict[str, int] = {}
        self.stall = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                size = int(head.split("content-length:")[1].split("\r\n")[0])
                body = json.loads(await reader.readexactly(size))
                if not await self.answer(body["messages"][0]["content"], writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, question: str, writer: asyncio.StreamWriter) -> bool:
        self.seen[question] = self.seen.get(question, 0) + 1
        number = int(question.split()[1])
        kind = number % 5 if self.seen[question] == 1 else 4
        if kind == 0 and number not in STALLED:
            kind = 1
        content = reply(f"answer to {question}").content
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode()
        if kind == 0:
            await self.stall.wait()
        elif kind == 1:
            writer.write(head + content[:40])
        elif kind == 2:
            writer.transport.abort()
        elif kind == 3:
            writer.write(head + content[:-1] + b" ")
        else:
            writer.write(head + content)
        await writer.drain()
        return kind >= 3


@pytest.fixture
def server() -> Iterator[tuple[Server, int]]:
    ready = threading.Event()
    port = [0]
    stop: list[asyncio.Event] = []
    loop = asyncio.new_event_loop()
    made: list[Server] = []

    async def main() -> None:
        made.append(Server())
        stop.append(asyncio.Event())
        listening = await asyncio.start_server(made[0].serve, "127.0.0.1", 0)
        port[0] = listening.sockets[0].getsockname()[1]
        ready.set()
        await stop[0].wait()
        made[0].stall.set()
        listening.close()
        await asyncio.sleep(0.05)

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    assert ready.wait(10)
    yield made[0], port[0]
    loop.call_soon_threadsafe(stop[0].set)
    thread.join(10)
    loop.close()


def test_broken_connections_are_replaced_and_whole_ones_reused(
    server: tuple[Server, int], cache: ResponseCache, fast: Backoff
) -> None:
    running, port = server
    config = endpoint(base_url=f"http://127.0.0.1:{port}/v1", timeout_s=TIMEOUT_S, concurrency=4)
    outcome = ChatClient(config, stage="s", cache=cache, backoff=fast).ask(tasks(100))
    outcome.require_complete("s")
    assert [answer.text for answer in outcome.answers.values()] == [f"answer to question {i}" for i in range(100)]
    assert outcome.usage.retries == 80
    assert [running.seen[f"question {number}"] for number in STALLED] == [2] * 4, "left after timeout_s, asked again"
    assert running.connections <= 4 + 60, "only stalled, cut and reset connections are replaced"
