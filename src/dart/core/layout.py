"""Where every stage finds its deps and puts its outs: the tree under data/, metrics/ and plots/, in one place.

All paths are relative to the root of the repository, where DVC runs every stage.
"""

from __future__ import annotations

from pathlib import Path

DATA = Path("data")
CODE = DATA / "code"
SUITE = DATA / "suite"
SCORERS = DATA / "models" / "scorers"
RATIONALES = DATA / "distill" / "rationales.jsonl"
ANNOTATIONS = DATA / "annotation" / "pairs.jsonl"
REPORT = DATA / "paper"
HUMAN = DATA / "human"
EXTERNAL_HUMAN = Path("external") / "human"
METRICS = Path("metrics")
PLOTS = Path("plots")


def split(name: str) -> Path:
    """One of train, validation, test, outside."""
    return SUITE / f"{name}.jsonl"


def cost(stage: str) -> Path:
    return DATA / "cost" / f"{stage.replace('@', '-')}.json"


def base(student: str) -> Path:
    return DATA / "models" / "base" / student


def adapter(student: str, variant: str) -> Path:
    return DATA / "adapters" / student / variant


def generations(student: str, variant: str) -> Path:
    return DATA / "generations" / student / f"{variant}.jsonl"


def policy(student: str) -> Path:
    return DATA / "policy" / student


def audit(student: str, name: str) -> Path:
    """`name`: before (distilled), teacher, after (repaired), control."""
    return DATA / "audit" / student / f"{name}.jsonl"


def targets(student: str) -> Path:
    return DATA / "repair" / student / "targets.jsonl"


def arm(name: str) -> Path:
    return DATA / "arms" / name


def external_answers(suite: str, student: str) -> Path:
    return DATA / "external" / suite / "answers" / student


def external_review(suite: str) -> Path:
    return DATA / "external" / suite / "review"


def external_metrics(suite: str) -> Path:
    return METRICS / "external" / f"{suite}.json"


def external_labels(profile: str, student: str) -> Path:
    return EXTERNAL_HUMAN / f"{profile}-{student}.csv"


def openended(student: str) -> Path:
    return DATA / "openended" / student


def openended_metrics(student: str) -> Path:
    return METRICS / "openended" / f"{student}.json"
