"""What the chat client adds to the endpoint's own latency: ratio to the ideal, CPU per call, memory.

A server with 100 ms latency runs in a process of its own. The ideal of n calls at concurrency c is ceil(n / c) times
the latency. Times are shared with whatever else the machine does, so each setting is repeated and the median printed.

    python benchmarks/chat_latency.py --repeats 5
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.tasks import Task
from dart.core.schema.profile import Endpoint

LATENCY_S = 0.1
SETTINGS = ((300, 16), (300, 64), (4800, 64))  # calls, concurrency
GOALS = {(300, 16): 1.15, (300, 64): 1.4}  # wall time over the ideal, on an idle machine
PROMPT = "word " * 200  # about as long as the paper's prompts


def measure(port: int, calls: int, concurrency: int, folder: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds, and MiB by which the process grew."""
    endpoint = Endpoint(
        base_url=f"http://127.0.0.1:{port}/v1", model="m", api_key_env=None, temperature=0.0, top_p=None,
        max_tokens=100, concurrency=concurrency, requests_per_minute=None, tokens_per_minute=None, timeout_s=60,
        usd_per_million_prompt_tokens=0.27, usd_per_million_completion_tokens=1.1, budget_usd=100.0,
    )  # fmt: skip
    tasks = [
        Task(f"{i}", [{"role": "user", "content": f"{PROMPT}{i}"}], check=str, max_corrections=0) for i in range(calls)
    ]
    cache = ResponseCache(folder / "answers.sqlite")
    client = ChatClient(endpoint, stage="benchmark", cache=cache)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    client.ask(tasks).require_complete("benchmark")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    cache.close()
    return wall, cpu, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.fake_server", "--latency-s", str(LATENCY_S)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        print(" calls  at once  ideal s  wall s  best s  ratio  best   goal  CPU ms/call  grew MiB")
        for calls, concurrency in SETTINGS:
            ideal = math.ceil(calls / concurrency) * LATENCY_S
            rows = []
            for _ in range(options.repeats):
                with tempfile.TemporaryDirectory() as folder:
                    rows.append(measure(port, calls, concurrency, Path(folder)))
            wall, cpu, grew = (statistics.median(column) for column in zip(*rows, strict=True))
            best = min(row[0] for row in rows)  # what the client takes; the median also what others do meanwhile
            goal = GOALS.get((calls, concurrency))
            print(
                f"{calls:>6}  {concurrency:>7}  {ideal:>7.2f}  {wall:>6.2f}  {best:>6.2f}  {wall / ideal:>5.2f}  "
                f"{best / ideal:>4.2f}  {goal or '':>5}  "
                f"{1000 * cpu / calls:>11.2f}  {grew:>8.1f}"
            )
    finally:
        server.kill()


if __name__ == "__main__":
    main()
