"""What an arm took for drift, and what became of it: the pool before repair and its safe targets.

Tables 23 and 26 ask whose labels and whose verdicts fill the pool. The pool has a precision and a recall where the
truth is known (embedded world) or where people have labelled pairs of the same answers (`People`, Appendix L); beside
the default's pool it has an overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from dart.core.records import AuditRecord, Generation, Item, RepairTarget, Severity
from dart.repair.targets import succeeded
from dart.stats.agreement import detection, share
from dart.stats.annotation import AnnotatedPair, weighted_agreement
from dart.stats.compare import significant
from dart.stats.drift import cases
from dart.stats.equivalence import tango_interval
from dart.stats.paired import mcnemar


class People(NamedTuple):
    """Labels of the distilled student's pairs, and how many audited pairs each stands for (`sampling_weights`)."""

    pairs: Sequence[AnnotatedPair]
    weights: Mapping[str, float]


def pool_report(
    pool: Sequence[AuditRecord],
    default: Sequence[AuditRecord],
    true: Mapping[str, Severity] | None,
    same_answers: bool = True,
    people: People | None = None,
) -> dict[str, Any]:
    """{cases, default_cases, both, jaccard, against_truth, against_people, right}; `default` is the default's audit.

    against_truth: counts, precision and recall with intervals over all pairs; absent where the truth is unknown.
    against_people: {n, drift, precision, recall} over the pairs that people labelled, weighted by what they stand for;
    only where both audits read the `same_answers`, which are those that people read. right: pairs that one of the two
    audits alone calls rightly, of all or of the labelled ones, with McNemar's exact p; only for the `same_answers`.
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
            report["right"] = _right(of_arm, of_default, set(true), ids)
    elif same_answers and people is not None and people.pairs:
        judged = {record.item_id for record in pool if not record.unjudged}
        pairs = [pair for pair in people.pairs if pair.item_id in judged]
        if not pairs:
            return report
        report["against_people"] = _against_people(of_arm, pairs, people.weights)
        drift = {pair.item_id for pair in pairs if pair.consensus is not None}
        report["right"] = _right(of_arm, of_default, drift, [pair.item_id for pair in pairs])
    return report


def _against_people(detected: Set[str], pairs: Sequence[AnnotatedPair], weights: Mapping[str, float]) -> dict[str, Any]:
    drift = [pair.consensus is not None for pair in pairs]
    found = weighted_agreement(
        [pair.item_id in detected for pair in pairs], drift, [weights[pair.item_id] for pair in pairs]
    )
    rates = {name: {"estimate": found[name], "ci": found[f"{name}_ci"]} for name in ("precision", "recall")}
    return {"n": len(pairs), "drift": sum(drift), **rates}


def _right(of_arm: Set[str], of_default: Set[str], drift: Set[str], ids: Sequence[str]) -> dict[str, Any]:
    """Pairs among `ids` that one audit alone calls as the truth or the people do."""
    among = set(ids)
    arm_wrong, default_wrong = (of_arm ^ drift) & among, (of_default ^ drift) & among
    only_default, only_arm = len(arm_wrong - default_wrong), len(default_wrong - arm_wrong)
    return {
        "difference": tango_interval(only_default, only_arm, len(ids)).json(4),
        "only_default": only_default,
        "only_arm": only_arm,
        "p": significant(mcnemar(only_default, only_arm).p_exact),
    }


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
