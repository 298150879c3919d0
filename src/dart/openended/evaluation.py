"""Metrics of the judged open-ended answers, base against repaired: Table 14 (Section 3.4, Appendix I.1).

The same questions are answered twice, so that shares are compared by McNemar's exact test and Tango's interval, and
wins by the sign test without ties. p-values are raw: the family of Holm's correction depends on the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dart.core.errors import DataError
from dart.core.records import Generation
from dart.external.analysis import comparison
from dart.openended.judging import SIDES, QuestionVerdicts, Side
from dart.openended.questions import DOMAINS, Question
from dart.stats.agreement import kappa, share
from dart.stats.compare import significant
from dart.stats.equivalence import tango_interval
from dart.stats.intervals import Interval
from dart.stats.paired import mcnemar

ALL = "all"
MEASURES: Mapping[str, str] = {  # field of an assessment, by the name of its measure
    "appropriate": "difference_appropriate",
    "premise": "harmful_premise_handled",
    "refusal": "refusal",
}


def openended_report(
    questions: Sequence[Question],
    answers: Mapping[Side, Sequence[Generation]],
    judged: Mapping[str, Sequence[QuestionVerdicts]],
    confidence: float,
    refused: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Contents of metrics/openended/<slot>.json.

    {n, judges: {party: {model, orders, domains: {domain or "all": measures}}}, agreement: {measure: {n, same, kappa}}
    (empty with one judge), toxicity: {domain or "all": comparison}}.

    Args:
        answers: scored, by side.
        judged: by party; the first is the judge.
        refused: ids of questions that a party refused; its shares are of the others, and their number stands beside.

    Raises:
        DataError: a judge's records are not one for each question that it did not refuse.
    """
    by_party = {
        party: _by_question([q for q in questions if q.id not in refused.get(party, ())], records, party)
        for party, records in judged.items()
    }
    both = set.intersection(*(set(records) for records in by_party.values())) if by_party else set()
    shared = [{key: records[key] for key in records if key in both} for records in by_party.values()]
    return {
        "n": len(questions),
        "judges": {
            party: {
                "model": next((record.model for record in records.values()), None),
                "orders": orders(list(records.values()), confidence),
                "domains": {
                    domain: measures([q for q in part if q.id in records], records, confidence)
                    for domain, part in _by_domain(questions).items()
                },
                **({"refused": len(refused[party])} if refused.get(party) else {}),
            }
            for party, records in by_party.items()
        },
        "agreement": agreement(*shared[:2], confidence=confidence) if len(by_party) > 1 else {},
        "toxicity": _toxicity(questions, answers, confidence),
    }


# Deviates from the paper: premise-questions - it seems to count premise handling over all 280 questions
def measures(
    questions: Sequence[Question], judged: Mapping[str, QuestionVerdicts], confidence: float
) -> dict[str, Any]:
    """{n, appropriate, premise, refusal: paired shares, preference} of one judge over some questions.

    `premise` counts the questions with a harmful premise only.
    """
    result: dict[str, Any] = {"n": len(questions)}
    for name, field in MEASURES.items():
        part = [q for q in questions if q.harmful_premise] if name == "premise" else questions
        pairs = [tuple(bool(getattr(getattr(judged[q.id], side), field)) for side in SIDES) for q in part]
        result[name] = paired_shares([pair[0] for pair in pairs], [pair[1] for pair in pairs], confidence)
    return result | {"preference": preferences([judged[q.id] for q in questions], confidence)}


def paired_shares(base: Sequence[bool], repaired: Sequence[bool], confidence: float) -> dict[str, Any]:
    """Two paired shares; every value but counts is None where n is 0.

    {n, base, repaired: {count, estimate, ci}, difference: {estimate, ci}, only_base, only_repaired, p}: Wilson's
    intervals, Tango's of the difference, McNemar's exact p.
    """
    n = len(base)
    pairs = list(zip(base, repaired, strict=True))
    b, c = pairs.count((True, False)), pairs.count((False, True))
    difference = tango_interval(b, c, n, confidence) if n else Interval(None, None, None)
    return {
        "n": n,
        "base": {"count": sum(base), **share(sum(base), n, confidence).json()},
        "repaired": {"count": sum(repaired), **share(sum(repaired), n, confidence).json()},
        "difference": difference.json(),
        "only_base": b,
        "only_repaired": c,
        "p": significant(mcnemar(b, c).p_exact) if n else None,
    }


# Deviates from the paper: order-ties - each pair is compared in both orders; what they disagree on is a tie
def preferences(judged: Sequence[QuestionVerdicts], confidence: float) -> dict[str, Any]:
    """{n, wins, ties, losses, rate: {estimate, ci}, p}: wins of repaired over base.

    The rate is wins / n, so that a tie is not a win; p is the sign test's over wins and losses.
    """
    counts = Counter(record.winner for record in judged)
    wins, losses, n = counts["repaired"], counts["base"], len(judged)
    return {
        "n": n,
        "wins": wins,
        "ties": counts["tie"],
        "losses": losses,
        "rate": share(wins, n, confidence).json(),
        "p": significant(sign_test(wins, losses)) if n else None,
    }


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact sign test of wins against losses: McNemar's exact test of these two counts; 1 without any."""
    return mcnemar(losses, wins).p_exact


def orders(judged: Sequence[QuestionVerdicts], confidence: float) -> dict[str, Any]:
    """{n, consistent: {count, estimate, ci}, first: {...}}: how far a judge's preference depends on the order.

    `first` is the share of verdicts for the answer shown first among all that are not ties; one half means no bias.
    """
    verdicts = [order.preferred for record in judged for order in (record.base_first, record.repaired_first)]
    decided = [verdict for verdict in verdicts if verdict != "tie"]
    same, first = sum(record.consistent for record in judged), decided.count("A")
    return {
        "n": len(judged),
        "consistent": {"count": same, **share(same, len(judged), confidence).json()},
        "first": {"count": first, "n": len(decided), **share(first, len(decided), confidence).json()},
    }


def agreement(
    first: Mapping[str, QuestionVerdicts], second: Mapping[str, QuestionVerdicts], *, confidence: float
) -> dict[str, dict[str, Any]]:
    """{measure: {n, same: {count, estimate, ci}, kappa: {estimate, ci}}} of two judges over the same questions.

    A measure of single answers counts both answers of a question; "preference" has the winners, three values.
    """

    def labels(records: Mapping[str, QuestionVerdicts], field: str) -> list[Hashable]:
        values_of_sides = [getattr(getattr(records[key], side), field) for key in sorted(records) for side in SIDES]
        return [value for value in values_of_sides if value is not None]

    labels_of: dict[str, Callable[[Mapping[str, QuestionVerdicts]], list[Hashable]]] = {
        name: (lambda records, field=field: labels(records, field))  # type: ignore[misc]
        for name, field in MEASURES.items()
    }
    labels_of["preference"] = lambda records: [records[key].winner for key in sorted(records)]
    result = {}
    for name, values in labels_of.items():
        first_labels, second_labels = values(first), values(second)
        same = sum(one == other for one, other in zip(first_labels, second_labels, strict=True))
        agreement_kappa = kappa(first_labels, second_labels, confidence) if first_labels else Interval(None, None, None)
        result[name] = {
            "n": len(first_labels),
            "same": {"count": same, **share(same, len(first_labels), confidence).json()},
            "kappa": agreement_kappa.json(),
        }
    return result


def _toxicity(
    questions: Sequence[Question], answers: Mapping[Side, Sequence[Generation]], confidence: float
) -> dict[str, Any]:
    scores = {side: {answer.item_id: answer.toxicity for answer in answers[side]} for side in SIDES}

    def scores_of(side: Side, part: Sequence[Question]) -> list[float]:
        values = [scores[side].get(question.id) for question in part]
        if any(score is None for score in values):
            raise DataError(f"openended: answers of {side} are missing or not scored. Run `dvc repro`.")
        return [score for score in values if score is not None]

    return {
        domain: comparison(scores_of("base", part), scores_of("repaired", part), confidence)
        for domain, part in _by_domain(questions).items()
    }


def _by_domain(questions: Sequence[Question]) -> dict[str, list[Question]]:
    parts: dict[str, list[Question]] = {
        domain: [question for question in questions if question.domain == domain] for domain in DOMAINS
    }
    return {**parts, ALL: list(questions)}


def _by_question(
    questions: Sequence[Question], records: Sequence[QuestionVerdicts], party: str
) -> dict[str, QuestionVerdicts]:
    by_id = {record.question_id: record for record in records}
    question_ids = {question.id for question in questions}
    if len(records) != len(by_id) or by_id.keys() != question_ids:
        raise DataError(
            f"openended, {party}: {len(records)} records do not pair one to one with {len(question_ids)} questions: "
            f"{len(question_ids - by_id.keys())} missing, {len(by_id.keys() - question_ids)} of other questions. Run "
            "`dvc repro`."
        )
    return by_id
