"""Where each stage finds its deps and puts its outs: the tree under data/, in one place."""

from __future__ import annotations

from pathlib import Path

DATA = Path("data")
SUITE = DATA / "suite"
SCORERS = DATA / "models" / "scorers"
RATIONALES = DATA / "distill" / "rationales.jsonl"
ANNOTATIONS = DATA / "annotation" / "pairs.jsonl"
PAPER = DATA / "paper"
METRICS = Path("metrics")
PLOTS = Path("plots")


def cost(stage: str) -> Path:
    return DATA / "cost" / f"{stage.replace('@', '-')}.json"


def arm(name: str) -> Path:
    return DATA / "arms" / name


def base(student: str) -> Path:
    return DATA / "models" / "base" / student


def adapter(student: str, variant: str) -> Path:
    return DATA / "adapters" / student / variant


def generations(student: str, variant: str) -> Path:
    return DATA / "generations" / student / f"{variant}.jsonl"


def policy(student: str) -> Path:
    return DATA / "policy" / student


def audit(student: str, when: str) -> Path:
    return DATA / "audit" / student / f"{when}.jsonl"


def targets(student: str) -> Path:
    return DATA / "repair" / student / "targets.jsonl"
