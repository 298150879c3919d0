"""A panel of judges on annotated pairs: majority, who agrees with whom, and whether a judge may replace people.

The paper reports one kappa for each judge (Table 25). A kappa does not say what would be lost if the judge took an
annotator's place; the alternative annotator test (Calderon, Reichart and Dror, ACL 2025) does: for each annotator, does
the judge agree with the others as well as that annotator, up to a margin `EPSILON` for its lower price?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control, ttest_1samp

from dart.stats.agreement import kappa

EPSILON = 0.15  # the authors' margin for trained annotators; .2 for experts, .1 for crowd workers
FALSE_DISCOVERY_RATE = 0.05  # Benjamini-Yekutieli, over the annotators
WINNING_RATE = 0.5  # of the annotators that the judge must match
MIN_PAIRS = 30  # the authors' least number for the t-test

Verdicts = Mapping[str, bool]  # item id -> drift or not


def majority(members: Mapping[str, Verdicts]) -> dict[str, bool]:
    """What more than half of the members say that have a verdict on an item; an item with a tie has none."""
    votes: dict[str, list[bool]] = {}
    for verdicts in members.values():
        for item, verdict in verdicts.items():
            votes.setdefault(item, []).append(verdict)
    return {item: 2 * sum(each) > len(each) for item, each in votes.items() if 2 * sum(each) != len(each)}


def agreement_matrix(raters: Mapping[str, Verdicts]) -> dict[str, dict[str, Any]]:
    """{rater: {later rater: {n, kappa, kappa_ci}}} on the items that both have a verdict on."""
    names = list(raters)
    matrix: dict[str, dict[str, Any]] = {}
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            shared = sorted(raters[first].keys() & raters[second].keys())
            entry: dict[str, Any] = {"n": len(shared), "kappa": None, "kappa_ci": None}
            if shared:
                value = kappa([raters[first][i] for i in shared], [raters[second][i] for i in shared]).json(4)
                entry |= {"kappa": value["estimate"], "kappa_ci": value["ci"]}
            matrix.setdefault(first, {})[second] = entry
    return matrix


def panel_agreement(pairs: Sequence[Mapping[str, bool | None]]) -> dict[str, Any]:
    """{pairs, unanimous, members: {name: {n, drift}}, matrix: `agreement_matrix`} of a panel that audited pairs.

    Args:
        pairs: {member: drift or not} of each pair, with the same members; None where a member refused it.
    """
    names = list(pairs[0]) if pairs else []
    said = {
        name: {str(k): value for k, each in enumerate(pairs) if (value := each[name]) is not None} for name in names
    }
    return {
        "pairs": len(pairs),
        "unanimous": sum(len(set(each.values())) == 1 for each in pairs),
        "members": {name: {"n": len(own), "drift": sum(own.values())} for name, own in said.items()},
        "matrix": agreement_matrix(said),
    }


def alternative_annotator_test(
    judge: Verdicts, annotators: Sequence[Verdicts], epsilon: float = EPSILON
) -> dict[str, Any]:
    """{n, annotators, epsilon, winning_rate, advantage, p, may_replace} of one judge.

    For annotator j and item i, with the others as reference: the judge wins if it agrees with at least as many of them
    as j does, and j wins likewise; a draw counts for both. H0: the judge's share of wins is below j's by `epsilon` or
    more (paired t-test, one-sided). winning_rate: share of the annotators for whom H0 falls. advantage: mean share of
    wins.
    may_replace: winning_rate is at least one half; None with fewer than two annotators or `MIN_PAIRS` pairs.

    Args:
        judge: items without a verdict, refused ones for instance, are left out.
    """
    items = sorted(set.intersection(set(judge), *(set(verdicts) for verdicts in annotators))) if annotators else []
    result: dict[str, Any] = {
        "n": len(items), "annotators": len(annotators), "epsilon": epsilon, "winning_rate": None, "advantage": None,
        "p": None, "may_replace": None,
    }  # fmt: skip
    if len(annotators) < 2 or len(items) < MIN_PAIRS:
        return result
    own = np.array([judge[item] for item in items])
    labels = np.array([[verdicts[item] for item in items] for verdicts in annotators])
    p_values, advantages = [], []
    for number, annotator in enumerate(labels):
        others = np.delete(labels, number, axis=0)
        of_judge, of_annotator = (others == own).mean(axis=0), (others == annotator).mean(axis=0)
        wins, losses = of_judge >= of_annotator, of_annotator >= of_judge
        p_values.append(_p_value(losses.astype(float) - wins.astype(float), epsilon))
        advantages.append(float(wins.mean()))
    corrected = false_discovery_control(p_values, method="by")
    winning = float((corrected < FALSE_DISCOVERY_RATE).mean())
    return result | {
        "winning_rate": round(winning, 4),
        "advantage": round(float(np.mean(advantages)), 4),
        "p": [float(f"{value:.3g}") for value in corrected],
        "may_replace": winning >= WINNING_RATE,
    }


def _p_value(differences: Any, epsilon: float) -> float:
    """Of H0: the mean difference is `epsilon` or more; without any spread the mean itself decides."""
    if differences.std() == 0:
        return 0.0 if differences.mean() < epsilon else 1.0
    return float(ttest_1samp(differences, epsilon, alternative="less").pvalue)


def panel_report(judges: Mapping[str, Verdicts], annotators: Sequence[Verdicts], consensus: Verdicts) -> dict[str, Any]:
    """{members, decided: pairs with a majority, matrix, admission: {judge or "majority": the test}}.

    Args:
        judges: by name; the majority is of all of them.
        annotators: of the same pairs.
    """
    decided = majority(judges) if len(judges) > 1 else {}
    candidates = {**judges, **({"majority": decided} if decided else {})}
    people = {f"annotator_{number}": verdicts for number, verdicts in enumerate(annotators, start=1)}
    return {
        "members": list(judges),
        "decided": len(decided),
        "matrix": agreement_matrix({**people, "consensus": consensus, **candidates}),
        "admission": {name: alternative_annotator_test(verdicts, annotators) for name, verdicts in candidates.items()},
    }
