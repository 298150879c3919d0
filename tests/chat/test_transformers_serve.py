"""Opt-in (`pytest -m serve`; `make test` runs it): the same client talks to `transformers serve` and a checkpoint.

What the server says must be what our own generation says: same chat template, same greedy decoding.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.retry import Backoff
from dart.chat.tasks import Task
from dart.core import params
from dart.core.errors import ChatError
from dart.core.records import Item, TrainingRow
from dart.core.schema.profile import StudentSpec
from dart.prompts import classification
from dart.student.generation import generate
from dart.student.train import train_adapter
from tests.support.fake_endpoint import endpoint

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "tests/fixtures/nano"
START_S = 120
MAX_TOKENS = 64
ITEMS = [
    Item(id=f"D1-DIFF-{n}", benchmark="D1", condition="DIFF", gold="YES", prompt=prompt, scenario=str(n))
    for n, prompt in enumerate(["In which of two towns do more people go to a temple?", "Who may vote here?"])
]

pytestmark = pytest.mark.serve


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    log = tmp_path_factory.mktemp("serve") / "log"
    command = [str(Path(sys.executable).parent / "transformers"), "serve", "--port", str(port), "--device", "cpu"]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + START_S
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert server.poll() is None, f"transformers serve ended:\n{log.read_text()}"
            assert time.monotonic() < until, "transformers serve does not become healthy"
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait(timeout=30)


def test_the_server_says_what_our_own_generation_says(url: str, cache: ResponseCache) -> None:
    config = endpoint(
        base_url=url, model=str(CHECKPOINT), temperature=0.0, max_tokens=MAX_TOKENS, timeout_s=120, concurrency=2
    )
    tasks = [Task(item.id, classification.inference(item.prompt), check=str, max_corrections=0) for item in ITEMS]
    outcome = ChatClient(config, stage="serve", cache=cache).ask(tasks)
    outcome.require_complete("serve")
    assert outcome.usage.calls == len(ITEMS)
    assert outcome.usage.completion_tokens > 0

    settings, _ = params.check(ROOT)
    profile = yaml.safe_load((ROOT / "profiles/embedded.yaml").read_text(encoding="utf-8"))
    spec = StudentSpec.model_validate(
        {**profile["students"]["base"], "model": str(CHECKPOINT), "nano": None, "name": "nano"}
    )
    decoding = settings.generation.model_copy(update={"max_new_tokens": MAX_TOKENS, "temperature": 0.0})
    own = generate(CHECKPOINT, spec, {"base": None}, ITEMS, decoding, settings.seed)["base"]
    served = [outcome.answers[item.id].text.strip() for item in ITEMS]
    # ours stops at the conclusion line, the server at the end of the turn
    for text, answer in zip(served, own, strict=True):
        assert text.startswith(answer.text.strip()[:200])
        assert answer.text.strip()


def test_base_and_adapter_give_the_records_of_our_own_generation(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    settings, profile = params.check(ROOT, "embedded")
    own = profile.students["base"].model_copy(update={"model": str(CHECKPOINT), "nano": None})
    server = {
        "kind": "transformers", "base_url": url, "model": None, "api_key_env": None, "concurrency": 2,
        "timeout_s": 120, "load_adapters": False,
    }  # fmt: skip
    served = StudentSpec.model_validate({**own.model_dump(), "engine": "openai", "server": server})
    rows = [
        TrainingRow(
            key=item.id,
            messages=tuple(classification.inference(item.prompt)),
            response=f"{item.prompt}\nConclusion: NO",
        )
        for item in ITEMS
    ]
    train_adapter(CHECKPOINT, own, rows, settings.lora, settings.training, 1, tmp_path / "adapter", steps=8)
    decoding = settings.generation.model_copy(update={"max_new_tokens": MAX_TOKENS, "temperature": 0.0})
    variants = {"base": None, "distilled": tmp_path / "adapter"}
    generations = generate(CHECKPOINT, served, variants, ITEMS, decoding, settings.seed)
    assert generations == generate(CHECKPOINT, own, variants, ITEMS, decoding, settings.seed)
    texts = [[record.text for record in records] for records in generations.values()]
    assert texts[0] != texts[1]


def test_a_model_that_is_not_there_is_a_failure_and_no_answer(url: str, cache: ResponseCache, fast: Backoff) -> None:
    config = endpoint(base_url=url, model="no/such-model", timeout_s=120, max_tokens=8)
    task = Task("t", [{"role": "user", "content": "hello"}], check=str, max_corrections=0)
    with pytest.raises(ChatError, match=r"no/such-model|given up"):
        ChatClient(config, stage="serve", cache=cache, backoff=fast).ask([task]).require_complete("serve")
    assert len(cache) == 0
