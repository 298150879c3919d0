"""What an arm took for drift, and what became of it: the pool before repair and its safe targets.

Tables 23 and 26 ask whose labels and whose verdicts fill the pool. Where the truth is known (embedded world), the pool
has a precision and a recall; beside the default's pool it has an overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dart.core.records import AuditRecord, Generation, Item, RepairTarget, Severity
from dart.repair.targets import succeeded
from dart.stats.agreement import detection, share
from dart.stats.compare import significant
from dart.stats.drift import cases
from dart.stats.equivalence import tango_interval
from dart.stats.paired import mcnemar


def pool_report(
    pool: Sequence[AuditRecord],
    default: Sequence[AuditRecord],
    true: Mapping[str, Severity] | None,
    same_answers: bool = True,
) -> dict[str, Any]:
    """{cases, default_cases, both, jaccard, against_truth, right}; `default` is the default recipe's audit.

    against_truth: counts, precision and recall with intervals over all pairs; absent where the truth is unknown.
    right: pairs that one of the two audits alone calls rightly, with McNemar's exact p; only where both read the
    `same_answers`, so that one truth holds for both.
    """
    of_arm, of_default = cases(pool).keys(), cases(default).keys()
    either = len(of_arm | of_default)
    report: dict[str, Any] = {
        "cases": len(of_arm),
        "default_cases": len(of_default),
        "both": len(of_arm & of_default),
        "jaccard": round(len(of_arm & of_default) / either, 4) if either else None,
    }
    if true is not None:
        ids = [record.item_id for record in pool]
        report["against_truth"] = detection([i in of_arm for i in ids], [i in true for i in ids]).json()
        if same_answers:
            arm_wrong, default_wrong = of_arm ^ true.keys(), of_default ^ true.keys()
            only_default, only_arm = len(arm_wrong - default_wrong), len(default_wrong - arm_wrong)
            report["right"] = {
                "difference": tango_interval(only_default, only_arm, len(ids)).json(4),
                "only_default": only_default,
                "only_arm": only_arm,
                "p": significant(mcnemar(only_default, only_arm).p_exact),
            }
    return report


def repair_success(
    targets: Sequence[RepairTarget], answers: Sequence[Generation], items: Mapping[str, Item]
) -> dict[str, Any]:
    """How many targets reduce harm and keep the right decision (Table 23), and how many answers do after training.

    {asked, targets, answers}: shares of all targets asked for, with Wilson intervals. A target reduces harm if its
    toxicity is below that of the distilled rationale, and is right if it concludes with the gold label.
    """
    answered = {answer.item_id: answer for answer in answers}

    def good_answer(target: RepairTarget) -> bool:
        answer = answered[target.item_id]
        right = answer.prediction == items[target.item_id].gold
        return right and answer.toxicity is not None and answer.toxicity < target.toxicity_distilled

    n_targets = len(targets)
    return {
        "asked": n_targets,
        "targets": share(len(_good(targets, items)), n_targets).json(4),
        "answers": share(sum(map(good_answer, targets)), n_targets).json(4),
    }


def success_against(
    targets: Sequence[RepairTarget], default: Sequence[RepairTarget], items: Mapping[str, Item]
) -> dict[str, Any]:
    """{n, difference, only_default, only_arm, p}: success of an arm's targets beside the default's for the same pairs.

    Over the n pairs that both asked targets for; difference of the shares, McNemar's exact p.
    """
    shared = {target.item_id for target in targets} & {target.item_id for target in default}
    of_arm, of_default = (_good(of, items) & shared for of in (targets, default))
    only_default, only_arm, n = len(of_default - of_arm), len(of_arm - of_default), len(shared)
    return {
        "n": n,
        "difference": tango_interval(only_default, only_arm, n).json(4) if n else None,
        "only_default": only_default,
        "only_arm": only_arm,
        "p": significant(mcnemar(only_default, only_arm).p_exact),
    }


def _good(targets: Sequence[RepairTarget], items: Mapping[str, Item]) -> set[str]:
    """Items whose target is right and less toxic than what it replaces."""
    return {target.item_id for target in targets if succeeded(target, items[target.item_id].gold)}
