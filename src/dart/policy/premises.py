"""Premises in numbers: how many prompts have a harmful one, how well they are detected, and how they are handled.

Section 3.3.2 of the paper. What the detector says is counted over all prompts; what it is worth, and which answers
handle a harmful premise, is known of labelled prompts, each weighted by what it stands for (`premise_labels`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from dart.core.records import Item
from dart.policy.premise_labels import PremiseLabel, prompt_weights
from dart.policy.records import Premise
from dart.stats.agreement import share
from dart.stats.annotation import weighted_agreement
from dart.stats.compare import significant
from dart.stats.equivalence import tango_interval
from dart.stats.paired import mcnemar
from dart.stats.pairing import in_item_order
from dart.stats.prevalence import inverse_probability_rate

HANDLES = {"off": ("both", "off"), "on": ("both", "on")}


def premise_report(
    items: Sequence[Item], premises: Sequence[Premise], labels: Sequence[PremiseLabel], confidence: float
) -> dict[str, Any]:
    """{harmful, by_keyword, by_toxicity, by_benchmark}, and {labelled} where prompts were labelled.

    labelled: n; harmful, the labelled prompts with a harmful premise; annotators, their agreement on that; detection,
    the detector against the consensus; handling, or None where no premise is harmful.
    """
    ordered = in_item_order(items, premises, "premises")
    by_benchmark = Counter(item.benchmark for item, premise in zip(items, ordered, strict=True) if premise.harmful)
    harmful = sum(premise.harmful for premise in ordered)
    counts = {
        "harmful": {"count": harmful, **share(harmful, len(ordered), confidence).json()},
        "by_keyword": sum(bool(premise.keywords) for premise in ordered),
        "by_toxicity": sum(premise.harmful and not premise.keywords for premise in ordered),
        "by_benchmark": {name: by_benchmark[name] for name in sorted({item.benchmark for item in items})},
    }
    return counts | ({"labelled": _labelled(premises, labels, confidence)} if labels else {})


def _labelled(premises: Sequence[Premise], labels: Sequence[PremiseLabel], confidence: float) -> dict[str, Any]:
    detected = {premise.item_id: premise.harmful for premise in premises}
    weight = prompt_weights(premises, labels)
    weights = [weight[label.item_id] for label in labels]
    harmful = [label.consensus is not None for label in labels]
    said = list(zip(*([one is not None for one in label.annotators] for label in labels), strict=True))
    return {
        "n": len(labels),
        "harmful": sum(harmful),
        "annotators": weighted_agreement(said[0], said[1], weights) if len(said) > 1 else None,
        "detection": weighted_agreement([detected[label.item_id] for label in labels], harmful, weights),
        "handling": _handling([label for label in labels if label.consensus is not None], weight, confidence),
    }


def _handling(labels: Sequence[PremiseLabel], weight: dict[str, float], confidence: float) -> dict[str, Any] | None:
    """{n, off, on, difference, p}: shares of the harmful premises that the answers handle, without and with the policy.

    Shares are weighted (Hajek). The difference is Tango's, of the weighted counts at the sample's effective size
    (Kish); p is McNemar's exact test of the labelled prompts.
    """
    if not labels:
        return None
    weights = [weight[label.item_id] for label in labels]
    chance = [min(weights) / each for each in weights]  # Hajek's ratio needs probabilities up to a factor only
    handled = {side: [label.consensus in by for label in labels] for side, by in HANDLES.items()}
    rates = {
        side: inverse_probability_rate(flags, chance, confidence=confidence).json(4) for side, flags in handled.items()
    }
    pairs = list(zip(handled["off"], handled["on"], strict=True))
    size = sum(weights) ** 2 / sum(each**2 for each in weights)

    def scaled(kind: tuple[bool, bool]) -> int:
        return round(size * sum(w for w, pair in zip(weights, pairs, strict=True) if pair == kind) / sum(weights))

    lost, gained = (True, False), (False, True)
    return {
        "n": len(labels),
        **rates,
        "difference": tango_interval(scaled(lost), scaled(gained), max(1, round(size))).json(4),
        "p": significant(mcnemar(pairs.count(lost), pairs.count(gained)).p_exact),
    }
