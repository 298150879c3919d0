"""The effect of the policy on decisions, toxicity and length, and the errors of its selection (Section 2.6).

Contents of metrics/policy.json (Tables 3, 17, 18, 33, 34). The same prompts are answered on both sides, so every test
is paired: McNemar's exact test with Tango's interval for decisions, Wilcoxon's with the Hodges-Lehmann shift for
toxicity. p-values are raw; a table corrects over its own tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.core.seeds import seed_for
from dart.policy.premise_labels import PremiseLabel
from dart.policy.premises import premise_report
from dart.policy.records import PolicyAnswer, Premise
from dart.stats.agreement import share
from dart.stats.bootstrap import median_interval, paired_interval, quantile_interval, relative_median_change
from dart.stats.compare import rounded, significant
from dart.stats.decision import Floats
from dart.stats.equivalence import tango_interval
from dart.stats.harm import SCALE, change_json, toxicities
from dart.stats.location import paired_shift
from dart.stats.paired import mcnemar, wilcoxon
from dart.stats.pairing import in_item_order
from dart.stats.quantiles import quantiles

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
    labels: Sequence[PremiseLabel] = ()  # of prompts, by people


class _Answers(NamedTuple):
    """Answers in item order as columns."""

    correct: list[bool]
    parsed: list[bool]
    toxicity: list[float]
    words: list[int]

    def subset(self, indices: Sequence[int]) -> _Answers:
        return _Answers(
            [self.correct[index] for index in indices],
            [self.parsed[index] for index in indices],
            [self.toxicity[index] for index in indices],
            [self.words[index] for index in indices],
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
        before = _columns(items, plain, name)
        report = {OFF: _levels(items, plain, before, statistics, seed_for(seed, name, OFF))}
        sides = {OFF: before}
        for scheme, answers in schemes.items():
            ordered = in_item_order(items, answers, f"{name}, {scheme}")
            after = sides[scheme] = _columns(items, ordered, f"{name}, {scheme}")
            scheme_seed = seed_for(seed, name, scheme)
            report[scheme] = {
                **_levels(items, ordered, after, statistics, scheme_seed),
                "instructed": _instructed(ordered, statistics.confidence),
                "against_off": _against_off(items, before, after, statistics, scheme_seed),
                "selection": selection(items, ordered, statistics.confidence),
            }
        if "oracle" in schemes:
            _compare_with_oracle(report, sides, statistics, seed_for(seed, name, "oracle"))
        variants[variant] = report
    premises = premise_report(items, run.premises, run.labels, statistics.confidence)
    return {"premises": premises, "variants": variants}


def _columns(items: Sequence[Item], ordered: Sequence[Generation], what: str) -> _Answers:
    return _Answers(
        correct=[answer.prediction == item.gold for item, answer in zip(items, ordered, strict=True)],
        parsed=[answer.prediction is not None for answer in ordered],
        toxicity=toxicities(items, ordered, what),
        words=[len(answer.rationale.split()) for answer in ordered],
    )


def _split_indices(items: Sequence[Item]) -> dict[str, list[int]]:
    return {name: [index for index, item in enumerate(items) if contains(item)] for name, contains in SPLITS.items()}


def _count_and_share(flags: Sequence[bool], confidence: float) -> dict[str, Any]:
    return {"count": sum(flags), **share(sum(flags), len(flags), confidence).json()}


def _levels(
    items: Sequence[Item], ordered: Sequence[Generation], side: _Answers, statistics: Statistics, seed: int
) -> dict[str, Any]:
    """Levels of one set of answers; a split without items has None where nothing can be counted."""
    confidence, splits = statistics.confidence, _split_indices(items)
    predictions = Counter(answer.prediction or "unparsed" for answer in ordered)
    return {
        "n": len(items),
        "accuracy": {name: _count_and_share(side.subset(part).correct, confidence) for name, part in splits.items()},
        "answers": {
            name: {"count": predictions[name], **share(predictions[name], len(items), confidence).json()}
            for name in ("YES", "NO", "unparsed")
        },
        "words_mean": round(float(np.mean(side.words)), 2),
        "words_median": float(np.median(side.words)),
        "toxicity": {
            name: _location(side.subset(part).toxicity, statistics, seed_for(seed, name))
            for name, part in splits.items()
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
    """Of the answers whose instruction names a conclusion, how many have this conclusion."""
    return _count_and_share([a.prediction == a.decision for a in ordered if a.decision is not None], confidence)


def _against_off(
    items: Sequence[Item], before: _Answers, after: _Answers, statistics: Statistics, seed: int
) -> dict[str, Any]:
    """The policy against none on the same prompts: other minus off, or relative to off."""
    confidence, splits = statistics.confidence, _split_indices(items)
    words = paired_interval(before.words, after.words, _mean_change, statistics, seed_for(seed, "words"))
    return {
        "accuracy": {
            name: _flips(before.subset(part).correct, after.subset(part).correct, confidence)
            for name, part in splits.items()
        },
        "parsed": _flips(before.parsed, after.parsed, confidence),
        "words_change": words.json(),
        "toxicity": {
            name: _toxicity_change(
                before.subset(part).toxicity, after.subset(part).toxicity, statistics, seed_for(seed, name)
            )
            for name, part in splits.items()
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


def _toxicity_change(
    before: Sequence[float], after: Sequence[float], statistics: Statistics, seed: int
) -> dict[str, Any] | None:
    if not before:
        return None
    scaled_before, scaled_after = ([value * SCALE for value in side] for side in (before, after))
    test = wilcoxon(before, after)
    # Below some n no signed-rank interval of this confidence exists (n < 6 for 95 %).
    bounded = 2.0 ** (1 - len(before)) <= 1 - statistics.confidence + 1e-12
    shift = paired_shift(scaled_before, scaled_after, statistics.confidence).json(4)
    median = paired_interval(before, after, relative_median_change, statistics, seed_for(seed, "median"))
    return {
        "harm": rounded(change_json(before, after, statistics.confidence)),
        "median_change": median.json(),
        "shift_x1e5": shift if bounded else {**shift, "ci": None},
        "wilcoxon": {"p": significant(test.p), "rank_biserial": round(test.effect, 6)},
    }


def _relative(before: Floats, after: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        change = after / before - 1
    return np.where(np.isfinite(change), change, np.nan)


def _mean_change(before: Floats, after: Floats) -> Floats:
    return _relative(before.mean(axis=-1), after.mean(axis=-1))


def _q95_change(before: Floats, after: Floats) -> Floats:
    return _relative(quantiles(before, 0.95), quantiles(after, 0.95))


def outcome(item: Item, answer: PolicyAnswer) -> str:
    """The selection's outcome for one prompt (Table 33): match, under_engagement, over_engagement, or none.

    under_engagement: gold YES under the policy for NO. over_engagement: gold NO under the policy for YES. none: the
    neutral instruction.
    """
    if answer.decision is None:
        return "none"
    if answer.decision == item.gold:
        return "match"
    return "under_engagement" if item.gold == "YES" else "over_engagement"


OUTCOMES = ("match", "under_engagement", "over_engagement", "none")


def selection(items: Sequence[Item], ordered: Sequence[PolicyAnswer], confidence: float) -> dict[str, Any]:
    """{outcome: {count, estimate, ci, correct: {count, estimate, ci}}}: its share and its correct answers."""
    correct: dict[str, list[bool]] = {name: [] for name in OUTCOMES}
    for item, answer in zip(items, ordered, strict=True):
        correct[outcome(item, answer)].append(answer.prediction == item.gold)
    return {
        name: {
            "count": len(flags),
            **share(len(flags), len(items), confidence).json(),
            "correct": _count_and_share(flags, confidence),
        }
        for name, flags in correct.items()
    }


def _compare_with_oracle(
    report: dict[str, Any], sides: Mapping[str, _Answers], statistics: Statistics, seed: int
) -> None:
    """Add `of_oracle` to every entry: its accuracy and its toxicity reduction as shares of the oracle's (Table 34)."""
    oracle = sides["oracle"]
    medians = {name: float(np.median(side.toxicity)) for name, side in sides.items()}
    oracle_reduction = medians[OFF] - medians["oracle"]
    for name, side in sides.items():
        accuracy = paired_interval(
            [float(flag) for flag in oracle.correct], [float(flag) for flag in side.correct], _mean_ratio,
            statistics, seed_for(seed, name),
        )  # fmt: skip
        # A share of the oracle's reduction is undefined if the oracle does not reduce toxicity.
        reduction = round((medians[OFF] - medians[name]) / oracle_reduction, 6) if oracle_reduction > 0 else None
        report[name]["of_oracle"] = {"accuracy": accuracy.json(), "toxicity_reduction": reduction}


def _mean_ratio(oracle: Floats, other: Floats) -> Floats:
    return _mean_change(oracle, other) + 1
