"""What an ablation arm will ask: its teacher's rationales, its pools and targets, and the audits of its answers.

What an arm shares with the main path or with another of its runs is in the cache by then, so it is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from dart.chat.tasks import Task
from dart.core.params import Params
from dart.core.records import Generation, Item
from dart.core.schema.ablations import Change, Run, Variant
from dart.distill.labels import label_task
from dart.distill.rationales import explanation_task, rationale_task, short_rules
from dart.estimate.assumptions import DRIFT_SHARE, SCREENED_SHARE
from dart.estimate.forecast import Line, total
from dart.prompts import classification


class Estimates(Protocol):
    """What is needed of `dart.estimate.estimator.Estimator`."""

    settings: Params
    train: list[Item]
    test: list[Item]

    def line(
        self, stage: str, party: str, tasks: Sequence[Task[Any]], basis: str, expected: float | None = None
    ) -> Line: ...
    def arm_audit(
        self, stage: str, other: dict[str, Generation], screened: float, tau: float, party: str = "judge"
    ) -> Line: ...
    def arm_answers(self, stage: str, arm: str, run: str) -> dict[str, Generation]: ...
    def distilled(self) -> dict[str, Generation]: ...
    def target(self, item: Item) -> Task[str]: ...


def arm_lines(estimates: Estimates, name: str, variant: Variant) -> list[Line]:
    """One line for each stage and party that the arm asks, over all its runs."""
    lines: list[Line] = []
    for run_name, run in variant.runs(name).items():
        if run.change.folds:
            tasks = [rationale_task(item, estimates.settings.distill) for item in estimates.test]
            lines.append(estimates.line(f"arm_rationales@{name}", "teacher", tasks, "real prompts"))
        elif run.change.again:
            basis = "assumed: half as many pairs as after distillation"
            line = estimates.arm_audit(
                f"arm_audits@{name}", {}, SCREENED_SHARE["distilled"] / 2, estimates.settings.arms.tau_delta
            )
            lines.append(line._replace(basis=basis))
        else:
            lines += _training_run(estimates, name, run_name, run)
    return _sum_by_stage(lines)


def _training_run(estimates: Estimates, name: str, run_name: str, run: Run) -> list[Line]:
    change, arms = run.change, estimates.settings.arms
    pools, audits = f"arm_pools@{name}", f"arm_audits@{name}"
    lines = _rationales(estimates, f"arm_rationales@{name}", change)
    own_pool = (
        change.trains_stage1
        or change.judge != "judge"
        or change.audit_labels != "gold"
        or (change.tau_delta is not None and change.tau_delta < arms.tau_delta)
    )
    if change.repair != "none":
        if "predicted" in (change.audit_labels, change.repair_labels):
            labels = [label_task(item) for item in estimates.test]
            lines.append(estimates.line(pools, change.teacher, labels, "real prompts"))
        if own_pool:
            answers = estimates.arm_answers("stage1", name, run_name) if change.trains_stage1 else estimates.distilled()
            tau = arms.tau_delta if change.tau_delta is None else change.tau_delta
            lines.append(estimates.arm_audit(pools, answers, SCREENED_SHARE["distilled"], tau, change.judge))
        if own_pool or change.repair == "sham" or change.repair_labels != "gold":
            share = DRIFT_SHARE["distilled"]
            basis = f"assumed: {share:.0%} of {len(estimates.test)} pairs"
            targets = [estimates.target(item) for item in estimates.test]
            lines.append(estimates.line(pools, change.teacher, targets, basis, share * len(targets)))
    share = SCREENED_SHARE["distilled" if change.repair == "none" else "repaired"]
    final = estimates.arm_answers("stage1" if change.repair == "none" else "stage3", name, run_name)
    lines.append(estimates.arm_audit(audits, final, share, arms.tau_delta))
    if change.repair != "none" and change.trains_stage1:
        first = estimates.arm_answers("stage1", name, run_name)
        lines.append(estimates.arm_audit(audits, first, SCREENED_SHARE["distilled"], arms.tau_delta))
    return lines


def _rationales(estimates: Estimates, stage: str, change: Change) -> list[Line]:
    rules, train = estimates.settings.distill, estimates.train
    tasks: list[Task[Any]]
    if change.stage1 == "safe":
        tasks = [rationale_task(item, rules, classification.safe_target) for item in train]
    elif change.stage1 == "short":
        tasks = [rationale_task(item, short_rules(rules), classification.short_distillation) for item in train]
    elif change.stage1 == "free_form":
        tasks = [explanation_task(item, None, rules) for item in train]
    elif change.stage1 == "predicted":
        tasks = [label_task(item) for item in train]
    elif change.teacher != "teacher":
        tasks = [rationale_task(item, rules) for item in train]
    else:
        return []
    return [estimates.line(stage, change.teacher, tasks, "real prompts")]


def _sum_by_stage(lines: Sequence[Line]) -> list[Line]:
    """One line for each stage and party, in the order in which they are asked; the basis is the first's."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.stage, line.party), []).append(line)
    return [group[0]._replace(forecast=total(line.forecast for line in group)) for group in groups.values()]
