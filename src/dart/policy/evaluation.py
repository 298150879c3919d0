"""What the policy changes: decisions, toxicity and length with it and without it, and what its selection got wrong.

Contents of metrics/policy.json (Tables 3, 17, 18, 33, 34). The same prompts are answered on both sides, so every test
is paired: McNemar's exact test with Tango's interval for decisions, Wilcoxon's with the Hodges-Lehmann shift for
toxicity. p-values are raw; a table corrects over what it shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.core.seeds import seed_for
from dart.policy.records import PolicyAnswer, Premise
from dart.stats.agreement import share
from dart.stats.bootstrap import median_interval, paired_interval, quantile_interval, relative_median_change
from dart.stats.compare import significant
from dart.stats.decision import Floats
from dart.stats.equivalence import tango_interval
from dart.stats.harm import SCALE, toxicities
from dart.stats.location import paired_shift
from dart.stats.paired import mcnemar, wilcoxon
from dart.stats.pairing import in_item_order

OFF = "off"
SPLITS: Mapping[str, Callable[[Item], bool]] = {
    "all": lambda item: True,
    "DIFF": lambda item: item.gold == "YES",
    "EQUAL": lambda item: item.gold == "NO",
}


class PolicyRun(NamedTuple):
    """One student: answers without the policy by variant, and with it by variant and scheme."""

    premises: Sequence[Premise]
    off: Mapping[str, Sequence[Generation]]
    on: Mapping[str, Mapping[str, Sequence[PolicyAnswer]]]


class _Side(NamedTuple):
    """Answers in item order as columns."""

    right: list[bool]
    parsed: list[bool]
    toxicity: list[float]
    words: list[int]

    def of(self, places: Sequence[int]) -> _Side:
        return _Side(
            [self.right[place] for place in places],
            [self.parsed[place] for place in places],
            [self.toxicity[place] for place in places],
            [self.words[place] for place in places],
        )


def policy_report(
    items: Sequence[Item], run: PolicyRun, statistics: Statistics, seed: int, what: str
) -> dict[str, Any]:
    """{premises, variants: {variant: {off: levels, <scheme>: levels, against_off, selection, instructed}}}.

    Args:
        what: names the student, in errors and in the seeds of the bootstrap.

    Raises:
        DataError: answers that do not pair with the items, or without a toxicity.
    """
    variants: dict[str, Any] = {}
    for variant, schemes in run.on.items():
        name = f"{what}/{variant}"
        plain = in_item_order(items, run.off[variant], f"{name}, policy off")
        before = _side(items, plain, name)
        found = {OFF: _levels(items, plain, before, statistics, seed_for(seed, name, OFF))}
        sides = {OFF: before}
        for scheme, answers in schemes.items():
            ordered = in_item_order(items, answers, f"{name}, {scheme}")
            after = sides[scheme] = _side(items, ordered, f"{name}, {scheme}")
            random = seed_for(seed, name, scheme)
            found[scheme] = {
                **_levels(items, ordered, after, statistics, random),
                "instructed": _instructed(ordered, statistics.confidence),
                "against_off": _against(items, before, after, statistics, random),
                "selection": selection(items, ordered, statistics.confidence),
            }
        if "oracle" in schemes:
            _compare_with_oracle(found, sides, statistics, seed_for(seed, name, "oracle"))
        variants[variant] = found
    return {"premises": _premises(items, run.premises, statistics.confidence), "variants": variants}


def _side(items: Sequence[Item], ordered: Sequence[Generation], what: str) -> _Side:
    return _Side(
        right=[answer.prediction == item.gold for item, answer in zip(items, ordered, strict=True)],
        parsed=[answer.prediction is not None for answer in ordered],
        toxicity=toxicities(items, ordered, what),
        words=[len(answer.rationale.split()) for answer in ordered],
    )


def _places(items: Sequence[Item]) -> dict[str, list[int]]:
    return {name: [place for place, item in enumerate(items) if of(item)] for name, of in SPLITS.items()}


def _counted(flags: Sequence[bool], confidence: float) -> dict[str, Any]:
    return {"count": sum(flags), **share(sum(flags), len(flags), confidence).json()}


def _levels(
    items: Sequence[Item], ordered: Sequence[Generation], side: _Side, statistics: Statistics, seed: int
) -> dict[str, Any]:
    """Levels of one set of answers; a split without items has None where nothing can be counted."""
    confidence, places = statistics.confidence, _places(items)
    said = Counter(answer.prediction or "unparsed" for answer in ordered)
    return {
        "n": len(items),
        "accuracy": {name: _counted(side.of(part).right, confidence) for name, part in places.items()},
        "answers": {
            name: {"count": said[name], **share(said[name], len(items), confidence).json()}
            for name in ("YES", "NO", "unparsed")
        },
        "words_mean": round(float(np.mean(side.words)), 2),
        "words_median": float(np.median(side.words)),
        "toxicity": {
            name: _location(side.of(part).toxicity, statistics, seed_for(seed, name)) for name, part in places.items()
        },
    }


def _location(values: Sequence[float], statistics: Statistics, seed: int) -> dict[str, Any] | None:
    if not values:
        return None
    scaled = [value * SCALE for value in values]
    return {
        "median_x1e5": median_interval(scaled, statistics, seed_for(seed, "median")).json(2),
        "q95_x1e5": quantile_interval(scaled, 0.95, statistics, seed_for(seed, "q95")).json(2),
    }


def _instructed(ordered: Sequence[PolicyAnswer], confidence: float) -> dict[str, Any]:
    """How many answers end with the conclusion that their instruction names, of those whose instruction names one."""
    return _counted([a.prediction == a.decision for a in ordered if a.decision is not None], confidence)


def _against(items: Sequence[Item], before: _Side, after: _Side, statistics: Statistics, seed: int) -> dict[str, Any]:
    """The policy against none on the same prompts: other minus off, or relative to off."""
    confidence, places = statistics.confidence, _places(items)
    words = paired_interval(before.words, after.words, _mean_change, statistics, seed_for(seed, "words"))
    return {
        "accuracy": {
            name: _flips(before.of(part).right, after.of(part).right, confidence) for name, part in places.items()
        },
        "parsed": _flips(before.parsed, after.parsed, confidence),
        "words_change": words.json(),
        "toxicity": {
            name: _moved(before.of(part).toxicity, after.of(part).toxicity, statistics, seed_for(seed, name))
            for name, part in places.items()
        },
        "q95_change": paired_interval(
            before.toxicity, after.toxicity, _q95_change, statistics, seed_for(seed, "q95")
        ).json(),
    }


def _flips(before: Sequence[bool], after: Sequence[bool], confidence: float) -> dict[str, Any] | None:
    """Paired difference of two shares: {difference: {estimate, ci}, lost, gained, p}; None for nothing."""
    if not before:
        return None
    pairs = list(zip(before, after, strict=True))
    lost, gained = pairs.count((True, False)), pairs.count((False, True))
    difference = tango_interval(lost, gained, len(pairs), confidence)
    p = significant(mcnemar(lost, gained).p_exact)
    return {"difference": difference.json(), "lost": lost, "gained": gained, "p": p}


def _moved(before: Sequence[float], after: Sequence[float], statistics: Statistics, seed: int) -> dict[str, Any] | None:
    if not before:
        return None
    scaled_before, scaled_after = ([value * SCALE for value in side] for side in (before, after))
    test = wilcoxon(before, after)
    # Below some n no signed-rank interval of this confidence exists (n < 6 for 95 %).
    bounded = 2.0 ** (1 - len(before)) <= 1 - statistics.confidence + 1e-12
    moved = paired_shift(scaled_before, scaled_after, statistics.confidence).json(4)
    median = paired_interval(before, after, relative_median_change, statistics, seed_for(seed, "median"))
    return {
        "median_change": median.json(),
        "shift_x1e5": moved if bounded else {**moved, "ci": None},
        "wilcoxon": {"p": significant(test.p), "rank_biserial": round(test.effect, 6)},
    }


def _relative(before: Floats, after: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        change = after / before - 1
    return np.where(np.isfinite(change), change, np.nan)


def _mean_change(before: Floats, after: Floats) -> Floats:
    return _relative(before.mean(axis=-1), after.mean(axis=-1))


def _q95_change(before: Floats, after: Floats) -> Floats:
    return _relative(*(_q95(side) for side in (before, after)))


def _q95(values: Floats) -> Floats:
    """numpy's 0.95 quantile along the last axis, with two partitions instead of its slower general path."""
    position = (values.shape[-1] - 1) * 0.95
    lower = int(position)
    upper = min(lower + 1, values.shape[-1] - 1)
    ordered = np.partition(values, (lower, upper), axis=-1)
    low, high = ordered[..., lower], ordered[..., upper]
    return np.asarray(low + (high - low) * (position - lower), dtype=np.float64)


def outcome(item: Item, answer: PolicyAnswer) -> str:
    """What the selection did to one prompt (Table 33): match, under_engagement, over_engagement, or none.

    under_engagement: gold YES, asked under the policy for NO. over_engagement: gold NO, asked under that for YES.
    none: asked under the neutral instruction.
    """
    if answer.decision is None:
        return "none"
    if answer.decision == item.gold:
        return "match"
    return "under_engagement" if item.gold == "YES" else "over_engagement"


OUTCOMES = ("match", "under_engagement", "over_engagement", "none")


def selection(items: Sequence[Item], ordered: Sequence[PolicyAnswer], confidence: float) -> dict[str, Any]:
    """{outcome: {count, estimate, ci, correct: {count, estimate, ci}}}: its share, and how many answers are right."""
    by: dict[str, list[bool]] = {name: [] for name in OUTCOMES}
    for item, answer in zip(items, ordered, strict=True):
        by[outcome(item, answer)].append(answer.prediction == item.gold)
    return {
        name: {
            "count": len(right),
            **share(len(right), len(items), confidence).json(),
            "correct": _counted(right, confidence),
        }
        for name, right in by.items()
    }


def _compare_with_oracle(found: dict[str, Any], sides: Mapping[str, _Side], statistics: Statistics, seed: int) -> None:
    """Add `of_oracle` to every entry: its accuracy and its toxicity reduction as shares of the oracle's (Table 34)."""
    oracle = sides["oracle"]
    medians = {name: float(np.median(side.toxicity)) for name, side in sides.items()}
    reduced = medians[OFF] - medians["oracle"]
    for name, side in sides.items():
        accuracy = paired_interval(
            [float(right) for right in oracle.right], [float(right) for right in side.right], _mean_ratio,
            statistics, seed_for(seed, name),
        )  # fmt: skip
        # Without a reduction under the oracle there is nothing to have a share of.
        reduction = round((medians[OFF] - medians[name]) / reduced, 6) if reduced > 0 else None
        found[name]["of_oracle"] = {"accuracy": accuracy.json(), "toxicity_reduction": reduction}


def _mean_ratio(oracle: Floats, other: Floats) -> Floats:
    return _mean_change(oracle, other) + 1


def _premises(items: Sequence[Item], premises: Sequence[Premise], confidence: float) -> dict[str, Any]:
    """How many prompts have a harmful premise, by which sign, and in which benchmark."""
    ordered = in_item_order(items, premises, "premises")
    by = Counter(item.benchmark for item, premise in zip(items, ordered, strict=True) if premise.harmful)
    return {
        "harmful": _counted([premise.harmful for premise in ordered], confidence),
        "by_keyword": sum(bool(premise.keywords) for premise in ordered),
        "by_toxicity": sum(premise.harmful and not premise.keywords for premise in ordered),
        "by_benchmark": {name: by[name] for name in sorted({item.benchmark for item in items})},
    }
