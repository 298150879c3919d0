"""kill -9 at random moments of a stage of 300 calls: what is lost, what is paid twice, and whether the output differs.

For each kill a fresh cache: the stage is killed after a random share of its time, then run again to its end. The
server's log tells which requests were answered validly, and so paid, more than once.

    python benchmarks/chat_kills.py --kills 20 --faults 0.3
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

CALLS, CONCURRENCY, LATENCY_S = 300, 16, 0.1
AGAIN = 3  # with a third of the requests failing, eight tries in a row do: the stage says so, and is run again


def stage(port: str, out: str) -> None:
    """The process that is killed: ask, then write the output."""
    from dart.chat.client import ChatClient
    from dart.chat.tasks import Rejected, Task
    from dart.core.files import write_json
    from dart.core.schema.profile import Endpoint

    endpoint = Endpoint(
        base_url=f"http://127.0.0.1:{port}/v1", model="m", api_key_env=None, temperature=0.0, top_p=None,
        max_tokens=100, concurrency=CONCURRENCY, requests_per_minute=None, tokens_per_minute=None, timeout_s=5,
        usd_per_million_prompt_tokens=0.27, usd_per_million_completion_tokens=1.1, budget_usd=None,
    )  # fmt: skip

    def check(text: str) -> str:
        if not text.startswith("Answer to question "):
            raise Rejected("Give the answer alone.")
        return text

    tasks = [
        Task(f"{i}", [{"role": "user", "content": f"question {i}"}], check=check, max_corrections=4)
        for i in range(CALLS)
    ]
    outcome = ChatClient(endpoint, stage="killed").ask(tasks)
    outcome.require_complete("killed")
    write_json(Path(out), {key: answer.text for key, answer in outcome.answers.items()})


def start(port: int, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "stderr.txt").open("w", encoding="utf-8") as stderr:
        return subprocess.Popen(
            [sys.executable, __file__, "--stage", str(port), str(folder / "out.json")],
            env={**os.environ, "DART_CACHE_DIR": str(folder)},
            stderr=stderr,
        )


def paid(log: Path) -> Counter[str]:
    """How often each request was answered validly."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return Counter(line.split()[0] for line in lines if line.split()[1] == "1")


def killed_once(port: int, log: Path, folder: Path, after_s: float | None) -> tuple[bytes, int, int]:
    """The output, answers paid before the kill, and answers paid twice; None: not killed."""
    log.unlink(missing_ok=True)
    first = start(port, folder)
    before = 0
    if after_s is not None:
        while not paid(log):  # the start of Python is not a part of the stage
            time.sleep(0.005)
        time.sleep(after_s)
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert not (folder / "out.json").exists() or after_s > 1.5, "an output that exists is complete"
        time.sleep(2 * LATENCY_S)  # what is on its way is answered, and billed, all the same
        before = sum(paid(log).values())
        first = start(port, folder)
    for _ in range(AGAIN):
        if first.wait(timeout=120) == 0:
            break
        first = start(port, folder)  # a question that met faults only has no answer yet; the rest is not asked again
    else:
        raise SystemExit(f"the stage failed:\n{(folder / 'stderr.txt').read_text(encoding='utf-8')[-2000:]}")
    return (folder / "out.json").read_bytes(), before, sum(count - 1 for count in paid(log).values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.0, help="share of the requests that the server fails")
    parser.add_argument("--stage", nargs=2, metavar=("PORT", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        stage(*options.stage)
        return
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.fake_server",
                "--latency-s",
                str(LATENCY_S),
                "--log",
                str(log),
                "--faults",
                str(options.faults),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            homes = [Path(scratch) / f"{kill}" for kill in range(options.kills + 1)]
            for home in homes:
                home.mkdir()
            undisturbed, _, _ = killed_once(port, log, homes[0], None)
            print(f"kill  after s  paid before  paid twice (at most {CONCURRENCY})  same output")
            worst, same = 0, 0
            for kill, home in enumerate(homes[1:], start=1):
                after_s = rng.uniform(0, CALLS / CONCURRENCY * LATENCY_S)
                out, before, twice = killed_once(port, log, home, after_s)
                print(f"{kill:>4}  {after_s:>7.2f}  {before:>11}  {twice:>26}  {out == undisturbed}")
                worst, same = max(worst, twice), same + (out == undisturbed)
            print(f"same output after {same} of {options.kills} kills; at most {worst} answers paid twice in one")
            if same < options.kills or worst > CONCURRENCY:
                raise SystemExit(1)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
