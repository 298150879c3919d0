"""`engine: openai`: a server's answers become the very records of local generation, and nothing is asked twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dart.chat.response import Completion
from dart.core.errors import ChatError, ModelError
from dart.core.files import read_jsonl, write_jsonl
from dart.core.hub import Source
from dart.core.records import Generation, Item, TrainingRow
from dart.core.schema.method import GenerationParams, Lora, Training
from dart.core.schema.profile import Server, StudentSpec
from dart.core.seeds import seed_for
from dart.student import remote_generation, serving
from dart.student.generation import generate, stop_after_conclusion
from dart.student.loading import load_processor
from dart.student.train import train_adapter
from tests.support.tiny_models import spec

pytestmark = pytest.mark.training

ROOT = Path(__file__).resolve().parents[2]
GREEDY = GenerationParams(max_new_tokens=24, temperature=0.0, top_p=1.0)
SAMPLED = GenerationParams(max_new_tokens=12, temperature=0.8, top_p=0.9)


class Running(NamedTuple):
    url: str
    log: Path

    def requests(self, path: str = "/v1/chat/completions") -> list[dict[str, Any]]:
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else []
        return [body for body in map(json.loads, lines) if body.pop("path") == path]


def at(url: str, **changes: Any) -> StudentSpec:
    settings: dict[str, Any] = {
        "kind": "vllm", "base_url": url, "model": None, "api_key_env": None, "concurrency": 4, "timeout_s": 60,
        "load_adapters": False,
    }  # fmt: skip
    return spec(engine="openai", server={**settings, **changes})


def uncounted(answers: dict[str, list[Generation]]) -> dict[str, list[Generation]]:
    """Without `new_tokens`: a random model writes bytes that are not text, and a server returns text alone."""
    return {
        variant: [record.model_copy(update={"new_tokens": 0}) for record in records]
        for variant, records in answers.items()
    }


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DART_CACHE_ONLY", "DART_ALLOW_HTTP", "WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def adapters(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path | None]:  # fmt: skip
    """Two adapters that have learnt answers by heart, so that some texts end and have a conclusion."""
    folder = tmp_path_factory.mktemp("adapters")
    for number, name in enumerate(("distilled", "repaired")):
        train_adapter(base, spec(learning_rate=0.03), rows[number::2], lora, training, number, folder / name, steps=60)
    return {"base": None, "distilled": folder / "distilled", "repaired": folder / "repaired"}


@pytest.fixture(scope="module")
def vllm(base: Path, adapters: dict[str, Path | None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running server that has the base and the distilled adapter, and loads others on request."""
    log = tmp_path_factory.mktemp("vllm") / "log"
    folder = adapters["distilled"]
    assert folder is not None
    command = [sys.executable, "-m", "tests.support.fake_vllm", str(base.resolve()), str(log)]
    process = subprocess.Popen(
        [*command, f"{serving.adapter_name(folder)}={folder}", "--runtime"],
        cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield Running(f"http://127.0.0.1:{process.stdout.readline().strip()}/v1", log)
    finally:
        process.kill()
        process.wait(timeout=30)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


def test_a_server_gives_the_records_of_local_generation_and_is_asked_once(
    vllm: Running, base: Path, adapters: dict[str, Path | None], items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = generate(base, spec(), adapters, items, GREEDY, 1)
    before = len(vllm.requests())
    served_by = at(vllm.url, load_adapters=True)
    assert uncounted(generate(base, served_by, adapters, items, GREEDY, 1)) == uncounted(own)
    decided = [record.prediction for records in own.values() for record in records]
    assert None in decided  # cut at max_new_tokens, which is a record
    assert {"YES", "NO"} & set(decided)
    requests = vllm.requests()[before:]
    assert len(requests) == 3 * len(items)
    assert {body["model"] for body in requests[2 * len(items) :]} == {
        serving.adapter_name(adapters["repaired"] or base)
    }
    assert not any("seed" in body for body in requests)

    monkeypatch.setattr(
        remote_generation, "ModelList", None
    )  # and with every answer in the cache the server need not be there
    again = generate(base, served_by, adapters, items[::-1], GREEDY, 1)
    assert uncounted(again) == uncounted({variant: records[::-1] for variant, records in own.items()})
    assert len(vllm.requests()) == before + 3 * len(items)


def test_a_retrained_adapter_is_another_model(
    vllm: Running, base: Path, adapters: dict[str, Path | None], items: list[Item], tmp_path: Path
) -> None:
    """In the same folder and for the same variant: no answer of the old one may be found."""
    one, other = adapters["distilled"], adapters["repaired"]
    assert one is not None
    assert other is not None
    folder, server_spec = tmp_path / "adapter", at(vllm.url, load_adapters=True)
    shutil.copytree(one, folder)
    first = generate(base, server_spec, {"distilled": folder}, items, GREEDY, 1)["distilled"]
    shutil.rmtree(folder)
    shutil.copytree(other, folder)
    second = generate(base, server_spec, {"distilled": folder}, items, GREEDY, 1)
    assert [record.text for record in first] != [record.text for record in second["distilled"]]
    assert uncounted(second) == uncounted(generate(base, spec(), {"distilled": folder}, items, GREEDY, 1))


def test_a_missing_adapter_ends_with_the_commands_that_bring_it_to_the_server(
    vllm: Running, base: Path, adapters: dict[str, Path | None], items: list[Item], tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    shutil.copytree(adapters["distilled"] or base, folder)
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    name, before = serving.adapter_name(folder), len(vllm.requests())
    with pytest.raises(ModelError) as caught:
        generate(base, at(vllm.url), {"base": None, "distilled": folder}, items, GREEDY, 1)
    message = str(caught.value)
    assert f"does not serve {name}" in message
    assert f"VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve {base.resolve()} --port" in message
    assert f"--enable-lora --max-lora-rank 8 --lora-modules {name}={folder}" in message
    assert (
        f"""curl -X POST {vllm.url}/load_lora_adapter -H 'Content-Type: application/json' -d '{{"lora_name": """
        in message
    )
    assert len(vllm.requests()) == before  # nothing was asked of the base either


def test_a_server_that_cannot_load_says_why(
    vllm: Running, base: Path, adapters: dict[str, Path | None], items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = base.parent / "not-there"  # as a server on another machine sees our path
    monkeypatch.setattr(Path, "resolve", lambda self: elsewhere if self == adapters["repaired"] else self)
    monkeypatch.setattr(serving, "adapter_name", lambda folder: "dart-unknown")
    with pytest.raises(ModelError, match=r"refused to load dart-unknown: HTTP 404: .*No adapter found"):
        generate(base, at(vllm.url, load_adapters=True), {"repaired": adapters["repaired"]}, items, GREEDY, 1)


def test_a_name_that_stands_for_other_weights_is_found_out(
    base: Path, adapters: dict[str, Path | None], tmp_path: Path
) -> None:
    one, other = adapters["distilled"], adapters["repaired"]
    assert one is not None
    assert other is not None

    class Swapped:
        def fetch(self) -> dict[str, serving.ServedModel]:
            name = serving.adapter_name(one)
            return {name: serving.ServedModel(name, str(other))}

    server_spec = at("http://127.0.0.1:9/v1")
    assert server_spec.server is not None
    with pytest.raises(ModelError, match="its weights are not those of"):
        serving.check_served(
            server_spec, server_spec.server, load_processor(base).source, {"distilled": one}, Swapped()
        )  # type: ignore[arg-type]


def test_another_base_on_the_server_is_named(vllm: Running, base: Path, items: list[Item]) -> None:
    with pytest.raises(ModelError, match=r"(?s)does not serve llama-3.*It has: .*The base is missing"):
        generate(base, at(vllm.url, model="llama-3"), {"base": None}, items, GREEDY, 1)


def test_a_server_that_is_not_there_or_is_none_is_named(base: Path, items: list[Item], vllm: Running) -> None:
    with pytest.raises(ChatError, match=r"http://127.0.0.1:9/v1 does not answer"):
        generate(base, at("http://127.0.0.1:9/v1"), {"base": None}, items, GREEDY, 1)
    with pytest.raises(ChatError, match=r"/models answers with HTTP 404.*base_url"):
        generate(base, at(vllm.url.removesuffix("/v1")), {"base": None}, items, GREEDY, 1)


def test_a_draw_is_named_by_the_item_and_is_common_to_a_pair(
    vllm: Running, base: Path, adapters: dict[str, Path | None], items: list[Item]
) -> None:
    before = len(vllm.requests())
    pair = {"base": None, "distilled": adapters["distilled"]}
    first = generate(base, at(vllm.url), pair, items[:4], SAMPLED, 1)
    requests = vllm.requests()[before:]
    seeds = {body["model"]: [] for body in requests}
    for body in requests:
        seeds[body["model"]].append(body["seed"])
        assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.8, 0.9, 12)
    assert [sorted(values) for values in seeds.values()] == [sorted(seed_for(1, item.id) for item in items[:4])] * 2
    other = generate(base, at(vllm.url), pair, items[:4], SAMPLED, 2)
    assert [record.text for record in first["base"]] != [record.text for record in other["base"]]


@pytest.mark.parametrize(
    ("text", "truncated"),
    [
        ("A.\nConclusion: YES\nB.\nConclusion: NO", "A.\nConclusion: YES\n"),
        ("A.\nConclusion: YES", "A.\nConclusion: YES"),
        ("A.\n**Conclusion:** no\nB.", "A.\n**Conclusion:** no\n"),
        ("Conclusion: YES or Conclusion: NO\nB.", "Conclusion: YES or Conclusion: NO\nB."),
        ("", ""),
    ],
)
def test_a_text_ends_where_the_local_loop_ends_it(base: Path, text: str, truncated: str) -> None:
    words = load_processor(base).tokenizer
    answer = remote_generation._truncate(text, words, stop_after_conclusion(words))
    assert answer.text == truncated
    assert answer.ids == words(truncated, add_special_tokens=False).input_ids


def test_stop_strings_end_no_text_sooner_than_the_local_loop(base: Path) -> None:
    words = load_processor(base).tokenizer
    is_complete = stop_after_conclusion(words)
    for stop in remote_generation.STOP:
        ids = words(f"A.{stop}", add_special_tokens=False).input_ids
        assert is_complete(ids)


def test_a_server_with_another_template_is_found_out(
    vllm: Running, base: Path, items: list[Item], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    encoded = [[1] * 7, [1] * 8]
    server_spec = at(vllm.url)
    assert server_spec.server is not None
    with pytest.raises(
        ModelError, match=r"counts 9 tokens in a prompt of tiny that has 7 here.*chat template or tokenizer"
    ):
        remote_generation._check_layout(server_spec, server_spec.server, [9, 9], encoded)
    remote_generation._check_layout(
        server_spec, server_spec.server, [7, 9], encoded
    )  # a question that spells a control token, say
    assert "1 of 2 prompts differ" in caplog.text
    remote_generation._check_layout(server_spec, server_spec.server, [0, 0], encoded)  # a server that does not count


def test_the_command_pins_revision_and_defaults() -> None:
    server_spec = at("http://gpu:8001/v1", model="llama").model_copy(update={"precision": "bf16", "quantize": "nf4"})
    assert server_spec.server is not None
    command = serving.vllm_command(server_spec, server_spec.server, Source("meta/llama", "abc123", "meta/llama"), {})
    assert command == (
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve meta/llama --port 8001 --generation-config vllm "
        "--dtype bfloat16 --revision abc123 --tokenizer-revision abc123 --served-model-name llama "
        "--quantization bitsandbytes --enable-lora --max-lora-rank 16"
    )


def test_only_vllm_gets_fields_that_others_refuse() -> None:
    def more(kind: str) -> set[str]:
        settings = {
            "kind": kind, "base_url": "http://x/v1", "model": None, "api_key_env": None, "concurrency": 1,
            "timeout_s": 1.0, "load_adapters": False,
        }  # fmt: skip
        return set(remote_generation._extra_fields(Server.model_validate(settings), SAMPLED, 7))

    assert more("transformers") == more("other") == {"seed"}
    assert {"stop", "include_stop_str_in_output", "repetition_penalty"} < more("vllm")


def test_a_cut_answer_is_kept_for_a_student_and_is_none_for_a_judge(
    vllm: Running, base: Path, items: list[Item]
) -> None:
    cut = Completion("half a sen", "length", 1, 1, "m")
    assert cut.incomplete_reason
    assert cut.malformed_reason is None
    assert Completion("", "stop", 1, 1, "m").malformed_reason is None
    assert Completion("x", "content_filter", 1, 1, "m").malformed_reason
    records = generate(
        base, at(vllm.url), {"base": None}, items[:1], GREEDY.model_copy(update={"max_new_tokens": 1}), 1
    )
    assert records["base"][0].prediction is None
    assert records["base"][0].text


SCRIPT = """
import os
import sys
from pathlib import Path
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import Item
from dart.core.schema.method import GenerationParams
from dart.core.schema.profile import StudentSpec
from dart.student.generation import generate

base, adapter, work = (Path(argument) for argument in sys.argv[1:4])
spec = StudentSpec.model_validate_json(sys.argv[4])
decoding = GenerationParams.model_validate_json(sys.argv[5])
items = read_jsonl(work / "items.jsonl", Item)
answers = generate(base, spec, {"base": None, "distilled": adapter}, items, decoding, 5)
write_jsonl(work / f"answers-{os.environ['RANK']}.jsonl", [*answers["base"], *answers["distilled"]])
"""


@pytest.mark.slow
def test_under_a_launcher_one_process_asks_and_all_have_the_answers(
    vllm: Running, base: Path, adapters: dict[str, Path | None], items: list[Item], tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "items.jsonl", items)
    (tmp_path / "script.py").write_text(SCRIPT)
    decoding = GREEDY.model_copy(update={"max_new_tokens": 20})
    before = len(vllm.requests())
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [str(base.resolve()), str(adapters["distilled"]), str(tmp_path)]
    done = subprocess.run(
        [*launch, str(tmp_path / "script.py"), *arguments, at(vllm.url).model_dump_json(), decoding.model_dump_json()],
        cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(vllm.requests()) == before + 2 * len(items)
    own = generate(base, spec(), {"base": None, "distilled": adapters["distilled"]}, items, decoding, 5)
    for rank in (0, 1):
        records = read_jsonl(tmp_path / f"answers-{rank}.jsonl", Generation)
        assert uncounted({"both": records}) == uncounted({"both": [*own["base"], *own["distilled"]]})
