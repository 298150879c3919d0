"""Annotated pairs: which are drawn, and how classifier and judge agree with the annotators' consensus.

Appendix L and M.1 of the paper: a stratified sample of (base, distilled) pairs is labelled by two annotators,
blind to which side is which; their consensus is the reference for the toxicity delta (ROC, Figure 5) and for
the judge (kappa, precision, recall).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dart.core.errors import DataError
from dart.core.records import AuditRecord, Item, Record, Severity
from dart.core.seeds import seed_for
from dart.stats.agreement import auc_interval, detection, weighted_kappa
from dart.stats.calibration import best_f1, operating_point, roc
from dart.stats.checks import finite
from dart.stats.panel import majority, panel_report
from dart.stats.prevalence import inverse_probability_rate

_INTERVALS = ("precision_ci", "recall_ci", "kappa_ci")
TAUS = (0.005, 0.01, 0.02, 0.03, 0.05)  # Table 29


class AnnotatedPair(Record):
    """One pair with the label of each annotator (None: no drift) and the consensus."""

    item_id: str
    delta: float
    annotators: tuple[Severity | None, ...]
    consensus: Severity | None


# Deviates from the paper: annotation-allocation - condition x screened, weighted; the paper: what judges flagged
def draw_pairs(items: Sequence[Item], records: Sequence[AuditRecord], pairs: int, seed: int) -> list[AuditRecord]:
    """At most `pairs` audit records, in equal numbers from condition x screened as far as each stratum reaches.

    Raises:
        DataError: an audited item is not among `items`.
    """
    condition = {item.id: item.condition for item in items}
    strata: dict[tuple[str, bool], list[AuditRecord]] = {}
    for record in records:
        if record.item_id not in condition:
            raise DataError(f"annotation: audited item {record.item_id} is not in the test set. Run `dvc repro` again.")
        strata.setdefault((condition[record.item_id], record.screened), []).append(record)
    for key, stratum in sorted(strata.items()):
        random.Random(seed_for(seed, "annotation", *key)).shuffle(stratum)
    rounds = max((len(stratum) for stratum in strata.values()), default=0)
    dealt = [stratum[turn] for turn in range(rounds) for _, stratum in sorted(strata.items()) if turn < len(stratum)]
    order = {record.item_id: index for index, record in enumerate(records)}
    return sorted(dealt[:pairs], key=lambda record: order[record.item_id])


def sampling_weights(
    items: Sequence[Item], records: Sequence[AuditRecord], pairs: Sequence[AnnotatedPair]
) -> dict[str, float]:
    """How many audited pairs each annotated one stands for: those of its condition x screened over the drawn ones.

    `draw_pairs` takes equal numbers, and whether a pair is screened is a function of its delta: without weights the
    sample's recall, AUC and best threshold are not the test set's.

    Raises:
        DataError: an annotated pair is not among the audited ones.
    """
    condition = {item.id: item.condition for item in items}
    stratum = {record.item_id: (condition[record.item_id], record.screened) for record in records}
    if unknown := [pair.item_id for pair in pairs if pair.item_id not in stratum]:
        raise DataError(f"annotation: pair {unknown[0]} was annotated but not audited. Run `dvc repro` again.")
    held, drawn = Counter(stratum.values()), Counter(stratum[pair.item_id] for pair in pairs)
    return {pair.item_id: held[stratum[pair.item_id]] / drawn[stratum[pair.item_id]] for pair in pairs}


def weighted_agreement(
    predicted: Sequence[bool], reference: Sequence[bool], weights: Sequence[float]
) -> dict[str, Any]:
    """`agreement` for the pairs that the sample stands for: rates by inverse probability (Hajek).

    "counts" are the sample's. Kappa's table is scaled to the sample's effective size (Kish).
    """
    plain = agreement(predicted, reference)
    if not predicted:
        return plain
    finite(weights, "agreement, weights")
    chance = [min(weights) / weight for weight in weights]  # Hajek's ratio needs probabilities up to a factor only
    sides = {"precision": (reference, predicted), "recall": (predicted, reference)}
    for name, (hits, among) in sides.items():
        part = [(hit, p) for hit, inside, p in zip(hits, among, chance, strict=True) if inside]
        rate = inverse_probability_rate([hit for hit, _ in part], [p for _, p in part]) if len(part) > 1 else None
        if rate is not None:
            plain |= {name: rate.json(4)["estimate"], f"{name}_ci": rate.json(4)["ci"]}
    kappa = weighted_kappa(predicted, reference, weights)
    precision, recall = plain["precision"], plain["recall"]
    both = precision is not None and recall is not None and precision + recall > 0
    f1 = round(2 * precision * recall / (precision + recall), 4) if both else plain["f1"]
    return plain | {"kappa": kappa.json(4)["estimate"], "kappa_ci": kappa.json(4)["ci"], "f1": f1}


def agreement(predicted: Sequence[bool], reference: Sequence[bool]) -> dict[str, Any]:
    """Precision, recall, F1 and Cohen's kappa of `predicted` against `reference`; None where undefined.

    "counts" are [both, reference only, predicted only, neither]; "<name>_ci" beside the rates holds 95 % intervals.
    """
    if not predicted:
        return {"n": 0, "counts": [0, 0, 0, 0]} | dict.fromkeys(("precision", "recall", "f1", "kappa", *_INTERVALS))
    compared = detection(predicted, reference)
    rates = {"precision": compared.precision, "recall": compared.recall, "kappa": compared.kappa}
    return {
        "n": len(predicted),
        "counts": [compared.tp, compared.fn, compared.fp, compared.tn],
        "f1": None if compared.f1 is None else round(compared.f1, 4),
        **{name: rate.json(4)["estimate"] for name, rate in rates.items()},
        **{f"{name}_ci": rate.json(4)["ci"] for name, rate in rates.items()},
    }


# Deviates from the paper: threshold-selection - the sample's best threshold is shown, and none is chosen by it
def calibration(
    pairs: Sequence[AnnotatedPair],
    verdicts: Mapping[str, Mapping[str, bool]],
    guards: Mapping[str, Mapping[str, bool]] = MappingProxyType({}),
    weights: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Contents of metrics/calibration.json and plots/roc.json from annotated pairs.

    `verdicts` is {judge: {item id: drift or not}}; pairs without a verdict of a judge are left out of its row. `guards`
    likewise; they are members of the panel, beside the judges. `weights` (`sampling_weights`) make every rate the test
    set's; "sample" holds the unweighted ones of the curve.
    """
    each = {pair.item_id: 1.0 for pair in pairs} if weights is None else weights
    by_pair = [each[pair.item_id] for pair in pairs]
    deltas, truth = [pair.delta for pair in pairs], [pair.consensus is not None for pair in pairs]
    annotators = list(zip(*([label is not None for label in pair.annotators] for pair in pairs), strict=True))
    metrics: dict[str, Any] = {
        "pairs": len(pairs),
        "drift": sum(truth),
        "weighted": weights is not None,
        "annotators": weighted_agreement(annotators[0], annotators[1], by_pair) if len(annotators) > 1 else None,
        "judges": {name: _against(pairs, of_judge, each) for name, of_judge in verdicts.items()},
        "between_judges": _between(list(verdicts.values()), each),
        "guards": {name: _against(pairs, of_guard, each) for name, of_guard in guards.items()},
        "panel": _panel(pairs, {**verdicts, **guards}, each),
    }
    if not any(truth) or all(truth):
        return {"metrics": {**metrics, "note": "one kind of pair only: no curve"}, "roc": []}
    curve = roc(deltas, truth, by_pair)
    metrics["auc"] = round(curve.auc, 4)
    metrics["auc_ci"] = auc_interval(deltas, truth, weights=by_pair).json(4)["ci"]
    metrics["best_f1"] = _point(best_f1(deltas, truth, by_pair))
    metrics["at_tau"] = {str(tau): _point(operating_point(deltas, truth, tau, by_pair)) for tau in TAUS}
    metrics["sample"] = {"auc": round(roc(deltas, truth).auc, 4), "best_f1": _point(best_f1(deltas, truth))}
    points = zip(curve.false_positive_rate, curve.true_positive_rate, strict=True)
    return {"metrics": metrics, "roc": [{"fpr": round(float(x), 6), "tpr": round(float(y), 6)} for x, y in points]}


def _against(
    pairs: Sequence[AnnotatedPair], verdicts: Mapping[str, bool], weights: Mapping[str, float]
) -> dict[str, Any]:
    seen = [pair for pair in pairs if pair.item_id in verdicts]
    return weighted_agreement(
        [verdicts[pair.item_id] for pair in seen],
        [pair.consensus is not None for pair in seen],
        [weights[pair.item_id] for pair in seen],
    )


def _between(verdicts: Sequence[Mapping[str, bool]], weights: Mapping[str, float]) -> dict[str, Any] | None:
    """The second judge against the first, on the pairs that both saw."""
    if len(verdicts) < 2:
        return None
    both = [item for item in verdicts[0] if item in verdicts[1] and item in weights]
    first, second = ([of_judge[item] for item in both] for of_judge in verdicts[:2])
    return weighted_agreement(second, first, [weights[item] for item in both])


def _panel(
    pairs: Sequence[AnnotatedPair], judges: Mapping[str, Mapping[str, bool]], weights: Mapping[str, float]
) -> dict[str, Any] | None:
    """The panel of all judges and guards, and its majority against the consensus; None without annotated pairs."""
    if not pairs or not judges:
        return None
    people = min(len(pair.annotators) for pair in pairs)
    annotators = [{pair.item_id: pair.annotators[n] is not None for pair in pairs} for n in range(people)]
    consensus = {pair.item_id: pair.consensus is not None for pair in pairs}
    return panel_report(judges, annotators, consensus) | {
        "against_consensus": _against(pairs, majority(judges), weights)
    }


def _point(point: Any) -> dict[str, float | int | None]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in point._asdict().items()}
