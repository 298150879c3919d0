"""Where the external stages put their outs; apart from `stages.paths`, on which every stage of the root depends."""

from __future__ import annotations

from pathlib import Path

from stages import paths

EXTERNAL = paths.DATA / "external"
HUMAN = Path("external") / "human"


def openended(student: str) -> Path:
    return paths.DATA / "openended" / student


def openended_metrics(student: str) -> Path:
    return paths.METRICS / "openended" / f"{student}.json"


def answers(suite: str, student: str) -> Path:
    return EXTERNAL / suite / "answers" / student


def review(suite: str) -> Path:
    return EXTERNAL / suite / "review"


def metrics(suite: str) -> Path:
    return paths.METRICS / "external" / f"{suite}.json"


def labels(profile: str, student: str) -> Path:
    return HUMAN / f"{profile}-{student}.csv"
