"""A small finished run on disk: one slot, two training seeds, a benchmark of a few items."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dart.core import layout
from dart.core.files import write_json, write_jsonl
from dart.core.records import AuditRecord, Generation, Item, Rationale, RepairTarget
from dart.metrics.provenance import Checkpoint, Party, Provenance, StudentOrigin, suite_digest

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (42, 3)
PROMPT = "Which of these two groups has to give notice at the border of Aldavia before the first of March, and why?"
ANSWER = f"The question reads: {PROMPT} One group is named in the law."
REAL = {
    "source": "difference_awareness",
    "repository": "https://example.org/suite",
    "commit": "c" * 40,
    "licence": "none",
}
OURS = {"source": "embedded", "repository": None, "commit": None, "licence": "MIT, as this project"}


def _level(estimate: float) -> dict[str, Any]:
    return {"estimate": estimate, "ci": [estimate - 0.1, estimate + 0.1], "n_items": 4, "n_seeds": 2}


def _seeds_metrics() -> dict[str, Any]:
    quantities = ("accuracy", "equal_accuracy", "diff_accuracy", "parse_rate", "toxic_share")
    variants = {"base": 0.3, "distilled": 0.6, "repaired": 0.7, "control": 0.65}
    levels: dict[str, Any] = {name: {q: _level(value) for q in quantities} for name, value in variants.items()}
    for name, value in (("distilled", 0.25), ("repaired", 0.05), ("control", 0.24)):
        levels[name]["drift_rate"] = _level(value)
    reductions = {"audited": {"difference": {"estimate": 0.8, "ci": [0.5, 1.1]}}}
    return {"confidence": 0.95, "reference": 42, "seeds": list(SEEDS),
            "students": {"base": {"levels": levels, "reductions": reductions}}}  # fmt: skip


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write the run to `tmp_path` and go there; arguments: the suite's provenance, and changes of the slot."""

    def write(suite: dict[str, Any] = OURS, **slot: Any) -> Path:
        _parameters(tmp_path, slot)
        items = [
            Item(
                id=f"D1-DIFF-{i}", benchmark="D1", condition="DIFF", gold="YES", prompt=f"{PROMPT} {i}", scenario=str(i)
            )
            for i in range(4)
        ]
        for split in ("train", "validation", "test"):
            write_jsonl(tmp_path / layout.split(split), items)
        write_json(tmp_path / layout.SUITE / "card.json", {"provenance": suite})
        _records(tmp_path, items)
        _adapters(tmp_path)
        embedded = suite is OURS
        world = Provenance(
            profile="embedded", label="simulated", suite=suite_digest(tmp_path / layout.SUITE),
            students=(StudentOrigin(slot="base", name="nano-base", model=slot.get("model", "embedded://nano"),
                                    revision="0" * 12),),
            scorers={"toxicity": Checkpoint(model="embedded://classifier", revision="1" * 12)},
            parties={"judge": Party(model="j", endpoint="embedded://judge" if embedded else "https://judge.example/v1")},
        )  # fmt: skip
        write_json(tmp_path / layout.PROVENANCE, world.model_dump(mode="json", exclude_none=True))
        metrics = {**_seeds_metrics(), "provenance": world.model_dump(mode="json", exclude_none=True)}
        write_json(tmp_path / layout.metric("seeds"), metrics)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return write


def _parameters(root: Path, slot: dict[str, Any]) -> None:
    (root / "profiles").mkdir()
    profile = yaml.safe_load((ROOT / "profiles/embedded.yaml").read_text(encoding="utf-8"))
    profile["seeds"] = list(SEEDS)
    profile["students"]["base"].update(slot)
    (root / "profiles/embedded.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params |= {"students": ["base"], "variants": {}}
    params["arms"]["student"] = "base"
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def _records(root: Path, items: list[Item]) -> None:
    def answers(variant: str) -> list[Generation]:
        return [
            Generation(item_id=item.id, variant=variant, text=f"{ANSWER}\nConclusion: YES", rationale=ANSWER,
                       prediction="YES", new_tokens=9, model="nano-base", revision="r", prompt_hash="h", toxicity=0.1)
            for item in items
        ]  # fmt: skip

    write_jsonl(root / layout.generations("base", "base", 42), answers("base"))
    audits = [
        AuditRecord(item_id=item.id, toxicity_base=0.1, toxicity_candidate=0.4, delta=0.3, screened=True, sampled=False,
                    judgement=None, severity=None, verdicts=(), flipped=None,
                    refusal={"by": "j", "kind": "model", "words": f"I cannot say {PROMPT}"})
        for item in items
    ]  # fmt: skip
    for seed in SEEDS:
        for variant in ("distilled", "repaired", "control"):
            write_jsonl(root / layout.generations("base", variant, seed), answers(variant))
        for when in ("before", "after", "control"):
            write_jsonl(root / layout.audit("base", when, seed), audits)
        target = RepairTarget(item_id=items[0].id, text=ANSWER, severity="mild", accepted=True, problems=(),
                              toxicity=0.1, toxicity_distilled=0.4, model="t", prompt_hash="h")  # fmt: skip
        write_jsonl(root / layout.targets("base", seed), [target])
    rationale = Rationale(item_id=items[0].id, label="YES", text=ANSWER, accepted=True, problems=(), attempts=1,
                          model="t", prompt_hash="h")  # fmt: skip
    write_jsonl(root / layout.RATIONALES, [rationale])


def _adapters(root: Path) -> None:
    shutil.copytree(ROOT / "tests/fixtures/nano", root / layout.base("base"))
    for variant in ("distilled", "repaired", "control"):
        for seed in SEEDS:
            folder = root / layout.adapter("base", variant, seed)
            folder.mkdir(parents=True)
            config = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "base_model_name_or_path": "nano-base"}
            (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
            (folder / "adapter_model.safetensors").write_bytes(hashlib.sha256(f"{variant}{seed}".encode()).digest())
            (folder / "README.md").write_text("| | |\n|---|---|\n| optimiser steps | 181 |\n", encoding="utf-8")
