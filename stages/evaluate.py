"""Stage `evaluate`: decision quality, harm, drift and all tests of the run; what `dvc metrics diff` compares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dart.annotation.sample import primary
from dart.core import layout, params
from dart.core.files import read_jsonl, write_json
from dart.core.records import Severity
from dart.metrics.evaluate import evaluate
from dart.metrics.run import Run, Settings, StudentRun, load_run
from dart.policy.evaluation import PolicyRun, policy_report
from dart.policy.records import PolicyAnswer, Premise
from dart.simulation.truth import true_drift
from dart.stats.annotation import AnnotatedPair


def _truth(run: Run) -> dict[str, dict[str, dict[str, Severity]]]:
    return {
        student.slot: {
            variant: true_drift(student.generations["base"], student.generations[variant])
            for variant in student.variants
            if variant != "base"
        }
        for student in run.students
    }


def run() -> None:
    given = params.load("evaluate")
    finished = load_run(Path(), given.students, Settings(label=given.world("label")))
    truth = None if given.world("world") is None else _truth(finished)
    annotated = {primary(given.students): read_jsonl(layout.ANNOTATIONS, AnnotatedPair)}
    for path, content in evaluate(
        finished, given.statistics, given.seed, truth, given.hypotheses, given.equivalence, annotated
    ).items():
        write_json(Path(path), content)
    write_json(layout.METRICS / "policy.json", {s.slot: _policy(finished, s, given) for s in finished.students})
    write_json(layout.METRICS / "cost.json", _costs(given.students))


def _policy(finished: Run, student: StudentRun, given: params.StageParams) -> dict[str, Any]:
    """What the policy stage left of one student, analysed: every file <variant>/<scheme>.jsonl."""
    folder = layout.policy(student.slot)
    answers: dict[str, dict[str, list[PolicyAnswer]]] = {}
    for file in sorted(folder.glob("*/*.jsonl")):
        answers.setdefault(file.parent.name, {})[file.stem] = read_jsonl(file, PolicyAnswer)
    done = PolicyRun(read_jsonl(folder / "premises.jsonl", Premise), student.generations, answers)
    return policy_report(finished.items, done, given.statistics, given.seed, student.slot)


def _costs(students: Sequence[str]) -> dict[str, Any]:
    """What the answers of every stage cost who has none of them, and in total."""
    asking = ("audit", "teacher", "targets", "regenerate", "control")
    stages = ["distill", *(f"{stage}@{student}" for student in students for stage in asking), "calibrate"]
    costs = {stage: json.loads(layout.cost(stage).read_text(encoding="utf-8")) for stage in stages}
    total = {name: round(sum(cost[name] for cost in costs.values()), 6) for name in costs["distill"]}
    return {"stages": costs, "total": total}
