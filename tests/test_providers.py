"""The asking stages of the paper's profile against servers that imitate each provider, with and without refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dart.core import layout
from dart.core.files import read_jsonl, write_json, write_jsonl
from dart.core.records import AuditRecord, Generation, Item, Rationale, RepairTarget
from dart.core.refusal import Refusal
from dart.core.schema.dialects import DIALECTS
from dart.core.seeds import unit_interval
from dart.distill.rows import distillation_rows
from dart.harm.guards import GuardVerdict
from dart.harm.panel import PanelVerdict
from dart.stats.drift import cases
from stages.__main__ import main
from tests.support import tiny_models
from tests.support.providers import PROVIDERS, Imitation, imitating
from tests.support.tiny_pipeline import ROOT

pytestmark = pytest.mark.slow

KEY = "sk-test-0123456789abcdef0123456789"
STAGES = ("distill", "audit small", "targets small", "reaudit small", "judge_annotated", "calibrate")
SEED = 42


class Scorer:
    """H of what the teacher writes: low, so that safe rationales are safe."""

    n_truncated = 0

    def score(self, texts: list[str]) -> list[float]:
        return [0.05] * len(texts)


def generation(item: Item, variant: str) -> Generation:
    high = {"base": 0.1, "distilled": 0.6}.get(variant, 0.3)
    return Generation(
        item_id=item.id, variant=variant, text=f"{variant} on {item.id}.\nConclusion: NO",
        rationale=f"{variant} on {item.id}.", prediction="NO", new_tokens=9, model="student", revision="r",
        prompt_hash="h", toxicity=high * (0.5 + unit_interval(variant, item.id) / 2),
    )  # fmt: skip


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any], float], Path]:
    """A folder in which the asking stages run: parameters, suite, and answers of a student that nobody trained."""

    def prepare(parties: dict[str, Any], may_miss: float) -> Path:
        root = tmp_path / "run"
        for name in ("dvc.yaml", "ablations/dvc.yaml", "external/dvc.yaml", "recipes/dvc.yaml"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        profile = yaml.safe_load((ROOT / "profiles/embedded.yaml").read_text(encoding="utf-8"))
        profile["suite"]["sizes"] = {"default": {"train": 4, "validation": 2, "test": 3}}
        profile |= {"seeds": [SEED], **parties}
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params |= {"profile": "paper_like", "students": ["small"], "recipes": {}, "variants": {}}
        params["arms"] |= {"student": "small", "reaudit": "none"}
        params["annotation"]["pairs"] = 32
        for section in ("distill", "audit", "repair"):
            params[section]["may_miss"] = may_miss
        for path, content in (("profiles/paper_like.yaml", profile), ("params.yaml", params)):
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(yaml.safe_dump(content), encoding="utf-8")
        monkeypatch.chdir(root)
        assert main(["suite"]) == 0
        items = read_jsonl(layout.split("test"), Item)
        for variant in ("base", "distilled", "repaired", "control"):
            write_jsonl(layout.generations("small", variant, SEED), [generation(item, variant) for item in items])
        return root

    for stage in ("audit", "targets"):
        monkeypatch.setattr(f"stages.{stage}.Classifier.load", lambda *arguments: Scorer())
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.delenv("DART_CACHE_ONLY", raising=False)
    return prepare


def party(role: str, provider: str, base_url: str) -> dict[str, Any]:
    """The party of profiles/paper.yaml, asked at `base_url` in the dialect of `provider`."""
    paper = yaml.safe_load((ROOT / "profiles/paper.yaml").read_text(encoding="utf-8"))
    entry: dict[str, Any] = {**paper[role], "base_url": base_url, "dialect": provider, "api_key_env": "PROVIDER_KEY"}
    entry["concurrency"] = 8
    return {**entry, **{name: None for name in ("temperature", "top_p") if name in DIALECTS[provider]}}


def guard(base_url: str) -> dict[str, Any]:
    endpoint = {**party("judge", "vllm", base_url), "dialect": None, "model": "meta-llama/Llama-Guard-3-8B"}
    return {"llama_guard": {"format": "llama_guard", "endpoint": endpoint}}


def write_provenance() -> None:
    write_json(
        layout.PROVENANCE,
        {"profile": "paper_like", "label": "simulated", "suite": "0", "students": [], "scorers": {}, "parties": {}},
    )


def run_chain(prepare: Callable[[dict[str, Any], float], Path], parties: dict[str, Any], may_miss: float) -> Path:
    root = prepare(parties, may_miss)
    write_provenance()
    assert [main(stage.split()) for stage in STAGES] == [0] * len(STAGES)
    return root


def refused_and_asked() -> tuple[int, int]:
    """Refusals of all records that the chain left, and the records that could have one."""
    problems = [r.problems for r in read_jsonl(layout.RATIONALES, Rationale)]
    problems += [target.problems for target in read_jsonl(layout.targets("small", SEED), RepairTarget)]
    audits = [read_jsonl(layout.audit("small", when, SEED), AuditRecord) for when in ("before", "after", "control")]
    judged = [r for records in audits for r in records if r.judgement or r.refusal]
    refused = [Refusal.of(each) for each in problems] + [record.refusal for record in judged]
    return sum(refusal is not None for refusal in refused), len(refused)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_chain_ends_well_with_every_provider_that_declines_a_tenth(
    provider: str, workplace: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with imitating(provider, declined=0.1) as (base_url, server):
        parties = {role: party(role, provider, base_url) for role in ("teacher", "judge", "second_judge")}
        root = run_chain(workplace, parties | {"guards": guard(base_url)} if provider == "vllm" else parties, 0.3)
    before = read_jsonl(layout.audit("small", "before", SEED), AuditRecord)
    refused, asked = refused_and_asked()
    assert 0 < refused < 0.2 * asked
    assert any(record.unjudged for record in before), "the judge declined pairs as well"
    rationales = read_jsonl(layout.RATIONALES, Rationale)
    items = {item.id: item for item in read_jsonl(layout.split("train"), Item)}
    rows = distillation_rows(rationales, items)
    assert len(rows) == sum(rationale.accepted for rationale in rationales) >= 0.8 * len(items)
    assert not any("think" in row.response or row.response == "" for row in rows)
    assert 0 < len(cases(before)) < sum(record.screened for record in before)
    assert not any(record.severity or record.judgement for record in before if record.unjudged)
    expected_fields(provider, server)
    output = capfd.readouterr()
    assert "Traceback" not in output.err
    left = [path for folder in (root, root.parent / "cache") for path in folder.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in path.read_bytes() for path in left)
    assert KEY not in output.err + output.out
    assert server.keys == {f"Bearer {KEY}"}


def expected_fields(provider: str, server: Imitation) -> None:
    judged = [body for body in server.requests if body["messages"][0]["content"].startswith("You compare")]
    limit = "max_completion_tokens" if provider in ("openai", "azure") else "max_tokens"
    other = {"max_completion_tokens", "max_tokens"} - {limit}
    assert judged
    assert all(limit in body and not other & body.keys() for body in server.requests)
    formats = {body.get("response_format", {}).get("type") for body in judged}
    assert formats == {
        {"none": None}.get(mode, mode) for mode in [DIALECTS[provider].get("json_mode", "json_object")]
    }  # fmt: skip


def test_the_parties_of_the_paper_profile_as_they_are(workplace: Any, tmp_path: Path) -> None:
    paper = yaml.safe_load((ROOT / "profiles/paper.yaml").read_text(encoding="utf-8"))
    with imitating("deepseek") as (teacher, _), imitating("vllm") as (judge, _), imitating("openai") as (second, _):
        parties = {
            role: {**paper[role], "base_url": address, "api_key_env": "PROVIDER_KEY"}
            for role, address in (("teacher", teacher), ("judge", judge), ("second_judge", second))
        }
        classifier = tiny_models.classifier(tmp_path / "classifier")
        local = {"model": str(classifier), "revision": None, "labels": ["toxic"]}
        run_chain(
            workplace, parties | {"guards": guard(judge) | {"here": {"format": "classifier", "local": local}}}, 0.0
        )
    verdicts = read_jsonl(layout.guard_verdicts() / "llama_guard.jsonl", GuardVerdict)
    assert {verdict.drift for verdict in verdicts} == {True, False}
    calibration = json.loads(layout.metric("calibration").read_text(encoding="utf-8"))
    assert set(calibration["guards"]) == {"llama_guard", "here"}
    assert {name: len(calibration[name]) for name in ("guards", "judges")} == {"guards": 2, "judges": 2}


def test_an_endpoint_without_its_dialect_ends_at_once_with_the_way_out(
    workplace: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DART_SKIP_CHECK", "1")  # which stage suite makes, and which would say so before
    with imitating("openai") as (base_url, server):
        wrong = {**party("teacher", "deepseek", base_url), "dialect": None, "temperature": 0.2}
        workplace({"teacher": wrong, "judge": wrong, "second_judge": None}, 0.5)
        assert main(["distill"]) == 1
    assert len(server.requests) < 40
    message = capfd.readouterr().err
    assert "Use 'max_completion_tokens' instead" in message
    assert "`dialect` in the profile fits a provider" in message
    assert not layout.RATIONALES.exists()


def test_a_fallback_leaves_nothing_out_and_its_share_is_counted(workplace: Any) -> None:
    with imitating("deepseek", 0.1) as (first, server), imitating("vllm") as (second, other):
        parties = {}
        for role in ("teacher", "judge", "second_judge"):
            parties[role] = party(role, "deepseek", first) | {"fallback": party("judge", "vllm", second)}
        run_chain(workplace, parties, 0.0)
    rationales = read_jsonl(layout.RATIONALES, Rationale)
    assert all(rationale.accepted for rationale in rationales)
    refusals = [refusal for rationale in rationales if (refusal := Refusal.of(rationale.problems))]
    assert {refusal.fallback for refusal in refusals} == {"Qwen/Qwen3-30B-A3B-Instruct-2507-served"}
    assert 0 < len(other.requests) < len(server.requests) / 4
    before = read_jsonl(layout.audit("small", "before", SEED), AuditRecord)
    assert any(record.refusal for record in before)
    assert not any(record.unjudged for record in before)


def test_a_panel_audits_in_the_place_of_the_judge(workplace: Any) -> None:
    profile = yaml.safe_load((ROOT / "profiles/embedded.yaml").read_text(encoding="utf-8"))
    panel = {name: {**profile["judge"], "model": f"embedded-{name}"} for name in ("second", "third")}
    workplace({"judge": {**profile["judge"], "panel": panel}}, 0.0)
    assert main(["audit", "small"]) == 0
    records = {record.item_id: record for record in read_jsonl(layout.audit("small", "before", SEED), AuditRecord)}
    file = layout.audits("small", "before") / layout.PANEL / layout.audit("small", "before", SEED).name
    verdicts = read_jsonl(file, PanelVerdict)
    assert {verdict.item_id for verdict in verdicts} == {key for key, record in records.items() if record.judgement}
    for verdict in verdicts:
        assert list(verdict.drift) == ["judge", "second", "third"]
        judgement = records[verdict.item_id].judgement
        assert judgement is not None
        if len(set(verdict.drift.values())) == 1:
            assert judgement.is_regression == verdict.drift["judge"]
    assert len({tuple(verdict.drift.values()) for verdict in verdicts}) > 2, "members differ, and say so"
    cost = json.loads(layout.cost("audit@small").read_text(encoding="utf-8"))
    judged_pairs = len(verdicts) + sum(
        record.judgement is not None for record in read_jsonl(layout.audit("small", "teacher", SEED), AuditRecord)
    )
    items = len(records)
    assert cost["answers"] >= 3 * judged_pairs + items
