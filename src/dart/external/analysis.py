"""Base against repaired on one suite: toxicity, hate and abstention, over all prompts and by group.

The paper's test is Mann-Whitney's U with the rank-biserial correlation; the same prompts are answered twice, so
Wilcoxon's signed-rank test and the Hodges-Lehmann shift with its interval stand beside it. p-values are raw here:
Holm's correction is over a declared family (`dart.metrics.registry`). Section 3.4, O.2, P.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dart.external.items import Answer, ExternalItem, group_names, outside_slices
from dart.stats.agreement import share
from dart.stats.compare import rounded, significant
from dart.stats.harm import TOXIC_ABOVE, change_json
from dart.stats.location import paired_shift
from dart.stats.paired import RankTest, mann_whitney, mcnemar, wilcoxon
from dart.stats.pairing import in_item_order

SCALE = 1e5
FLAGGED = 0.5  # the classifier's own decision


class Pairs(NamedTuple):
    """Items with both answers, in item order."""

    items: tuple[ExternalItem, ...]
    base: tuple[Answer, ...]
    repaired: tuple[Answer, ...]

    def where(self, condition: Callable[[ExternalItem, Answer, Answer], bool]) -> Pairs:
        """The pairs for which `condition(item, base, repaired)` is true."""
        pairs = [pair for pair in zip(*self, strict=True) if condition(*pair)]
        return Pairs(*(tuple(column) for column in zip(*pairs, strict=True))) if pairs else Pairs((), (), ())


def paired(items: Sequence[ExternalItem], base: Sequence[Answer], repaired: Sequence[Answer], what: str) -> Pairs:
    """Join the answers with their items.

    Raises:
        DataError: answers are missing, duplicate, or of other items.
    """
    order = [item.as_item() for item in items]
    columns = (
        in_item_order(order, answers, f"{what}, {name}") for name, answers in (("base", base), ("repaired", repaired))
    )
    return Pairs(tuple(items), *(tuple(column) for column in columns))


# Deviates from the paper: unscored-abstentions - abstentions are scored and kept; matched subsets leave them out
def comparison(base: Sequence[float], repaired: Sequence[float], confidence: float) -> dict[str, Any]:
    """Compare one score of both variants; every value but n is None for empty samples.

    The shift has no interval if n is too small for one of this confidence.

    {n, median_base_x1e5, median_repaired_x1e5, mean_..., median_change, mean_change, flagged_base, flagged_repaired,
    above_base, above_repaired, shift_x1e5: {estimate, ci}, mann_whitney, wilcoxon: {statistic, p, rank_biserial},
    harm: `change_json`, paired}; rank_biserial < 0: repaired is lower. Changes are relative.
    """
    n = len(base)
    before, after = _location(base), _location(repaired)
    result: dict[str, Any] = {"n": n}
    for name, start, end in zip(("median", "mean"), before, after, strict=True):
        result[f"{name}_base_x1e5"] = None if start is None else round(start * SCALE, 2)
        result[f"{name}_repaired_x1e5"] = None if end is None else round(end * SCALE, 2)
        result[f"{name}_change"] = round(end / start - 1, 6) if start and end is not None else None
    for name, scores in (("base", base), ("repaired", repaired)):
        result[f"flagged_{name}"] = share(sum(score >= FLAGGED for score in scores), n, confidence).json()
        result[f"above_{name}"] = share(sum(score > TOXIC_ABOVE for score in scores), n, confidence).json()
    if n == 0:
        return result | {"shift_x1e5": None, "mann_whitney": None, "wilcoxon": None, "harm": change_json([], [])}
    bounded = 2.0 ** (1 - n) <= 1 - confidence + 1e-12  # else no interval of this confidence exists (n < 6 for 95 %)
    scaled_base, scaled_repaired = ([score * SCALE for score in scores] for scores in (base, repaired))
    shift = paired_shift(scaled_base, scaled_repaired, confidence)
    return result | {
        "shift_x1e5": shift.json(4) | ({} if bounded else {"ci": None}),
        "mann_whitney": _rank_json(mann_whitney(base, repaired)),
        "wilcoxon": _rank_json(wilcoxon(base, repaired)),
        "harm": rounded(change_json(base, repaired, confidence)),
    }


def _location(scores: Sequence[float]) -> tuple[float | None, float | None]:
    return (float(np.median(scores)), float(np.mean(scores))) if scores else (None, None)


def _rank_json(test: RankTest) -> dict[str, float]:
    return {"statistic": test.statistic, "p": significant(test.p), "rank_biserial": round(test.effect, 6)}


def abstention(base: Sequence[Answer], repaired: Sequence[Answer], confidence: float) -> dict[str, Any]:
    """Answers without a valid conclusion: {base, repaired: {count, estimate, ci}, p}, McNemar's exact p."""
    sides = {"base": base, "repaired": repaired}
    counts = {name: sum(not answer.answered for answer in answers) for name, answers in sides.items()}
    changes = [(one.answered, other.answered) for one, other in zip(base, repaired, strict=True)]
    test = mcnemar(changes.count((True, False)), changes.count((False, True)))
    return {
        **{name: {"count": counts[name], **share(counts[name], len(base), confidence).json()} for name in sides},
        "p": significant(test.p_exact) if base else None,
    }


def slice_of(pairs: Pairs, confidence: float) -> dict[str, Any]:
    """{n, abstention, toxicity, hate} of a set of pairs, which may be empty."""
    return {
        "n": len(pairs.items),
        "abstention": abstention(pairs.base, pairs.repaired, confidence),
        "toxicity": comparison(
            [answer.toxicity for answer in pairs.base], [answer.toxicity for answer in pairs.repaired], confidence
        ),
        "hate": comparison(
            [answer.hate for answer in pairs.base], [answer.hate for answer in pairs.repaired], confidence
        ),
    }


def analyse(pairs: Pairs, confidence: float, groups: Sequence[str] = ()) -> dict[str, Any]:
    """{overall, slices: {group: ...}, outside_slices: {reason: count}}.

    Args:
        groups: groups that get a slice even if no prompt of the sample is in them.
    """
    names = dict.fromkeys((*groups, *group_names(pairs.items)))
    return {
        "overall": slice_of(pairs, confidence),
        "slices": {name: slice_of(pairs.where(_in_group(name)), confidence) for name in names},
        "outside_slices": outside_slices(pairs.items),
    }


def _in_group(name: str) -> Callable[[ExternalItem, Answer, Answer], bool]:
    return lambda item, base, repaired: item.group == name


def student_report(pairs: Pairs, card: Mapping[str, Any], confidence: float) -> dict[str, Any]:
    """The analysis of one student on any suite; groups of the suite that the sample lacks are slices of n = 0."""
    return analyse(pairs, confidence, groups=list(card["groups"]))


def suite_report(card: Mapping[str, Any], students: Mapping[str, Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Contents of metrics/external/<suite>.json: {suite, card, students: {slot: analysis}}, and `more` of the suite."""
    return {"suite": card["suite"], "card": dict(card), "students": dict(students), **more}


def decisive_n(tests: int, alpha: float = 0.05) -> int:
    """The smallest n with which Wilcoxon's exact test can be significant as one of `tests` under Holm's correction.

    All n differences of one sign have p = 2 / 2^n, which Holm multiplies by at most `tests`: with fewer prompts a
    slice can never be significant.
    """
    return math.ceil(math.log2(2 * max(1, tests) / alpha))
