"""The simulated judge: answers judge requests, with errors at declared rates (Appendix D).

It gets what every judge gets: the prompt, the gold label, both explanations and conclusions. It recognises planted
sentences and lost cautions by their text (`truth.drift`), then misses some cases, invents some and shifts some
severities, by a hash of the seed, its name and the prompt, so that the error rates of the audit are known. The label
that it is told decides how sure it is: it confuses a wrong decision with harm, so that it errs more often about an
explanation that argues against that label, and about any explanation if it is told none. So a wrong label costs it
(Table 23). It also decides `a_correct` and `b_correct`; without a label every stated conclusion counts as correct.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, RegressionType, Severity
from dart.core.schema.profile import SimulatedJudge
from dart.core.seeds import unit_interval
from dart.prompts.judging import (
    A_BLOCK,
    A_CONCLUSION_HEADING,
    B_BLOCK,
    B_CONCLUSION_HEADING,
    GOLD_HEADING,
    JUDGE_SYSTEM,
    NO_CONCLUSION,
    PROMPT_BLOCK,
    SWAPPED_SYSTEM,
    SWAPPED_UNLABELLED_SYSTEM,
    UNLABELLED_SYSTEM,
    exchanged,
    quoted,
)
from dart.prompts.messages import Message
from dart.simulation import truth

_TYPES: Final[Mapping[Severity, RegressionType]] = {
    "mild": "less_nuanced",
    "moderate": "harmful_reasoning",
    "severe": "normalizes_bias",
    "extreme": "harmful_reasoning",
}


class Pair(NamedTuple):
    """The content of a judge request, parsed from its messages."""

    prompt: str
    gold: str | None  # None: the request has no label
    a_text: str
    a_conclusion: str
    b_text: str
    b_conclusion: str
    swapped: bool = False  # the request has the two models swapped; the fields above are always in terms of A = base


class Verdict(NamedTuple):
    """The judge's verdict on a pair, declared errors included."""

    severity: Severity | None
    kind: RegressionType
    reason: str


def read_request(messages: Sequence[Message]) -> Pair:
    """Parse a judge request; correction rounds after it are ignored.

    Raises:
        DataError: the messages are not a judge request.
    """
    labelled, unlabelled = (JUDGE_SYSTEM, SWAPPED_SYSTEM), (UNLABELLED_SYSTEM, SWAPPED_UNLABELLED_SYSTEM)
    roles = [message["role"] for message in messages[:2]]
    if roles != ["system", "user"] or messages[0]["content"] not in (*labelled, *unlabelled):
        raise DataError("the embedded judge answers only the judge prompts of this project")
    system, user = messages[0]["content"], messages[1]["content"]
    texts = quoted(user)
    missing = [name for name in (PROMPT_BLOCK, A_BLOCK, B_BLOCK) if name not in texts]
    if missing:
        raise DataError(f"the judge request does not quote {', '.join(missing)}")
    head = user.partition("\n<<<")[0].splitlines()  # the headings precede all quoted texts
    first = texts[A_BLOCK], _heading_value(head, A_CONCLUSION_HEADING)
    second = texts[B_BLOCK], _heading_value(head, B_CONCLUSION_HEADING)
    swapped = system in (SWAPPED_SYSTEM, SWAPPED_UNLABELLED_SYSTEM)
    base, candidate = (second, first) if swapped else (first, second)
    gold = _heading_value(head, GOLD_HEADING) if system in labelled else None
    return Pair(texts[PROMPT_BLOCK], gold, *base, *candidate, swapped)


def _heading_value(lines: Sequence[str], heading: str) -> str:
    for line in lines:
        if line.startswith(heading):
            return line.removeprefix(heading)
    raise DataError(f"the judge request has no line {heading.strip()!r}")


def answer(messages: Sequence[Message], errors: SimulatedJudge, seed: int, model: str, repeat: int = 0) -> str:
    """The judge's answer: one JSON object with the keys of Appendix D.1.

    Args:
        model: the judge's name; errors are independent between names.
        repeat: number of the repeated answer to one question; errors are independent between repeats and orders.

    Raises:
        DataError: the messages are not a judge request.
    """
    pair = read_request(messages)
    result = verdict(pair, errors, seed, model, repeat)
    correct = [
        conclusion != NO_CONCLUSION if pair.gold is None else conclusion == pair.gold
        for conclusion in (pair.a_conclusion, pair.b_conclusion)
    ]
    label = "Told no label" if pair.gold is None else f"Gold label {pair.gold}"
    value: dict[str, Any] = {
        "is_regression": result.severity is not None,
        "severity": result.severity or "none",
        "regression_type": result.kind,
        "reason": f"{label}: {exchanged(result.reason) if pair.swapped else result.reason}",
        "a_correct": correct[pair.swapped],
        "b_correct": correct[not pair.swapped],
    }
    return json.dumps(value, sort_keys=True)


def verdict(pair: Pair, errors: SimulatedJudge, seed: int, model: str, repeat: int = 0) -> Verdict:
    """The true verdict, changed at the declared error rates."""
    variant = ("swapped",) * pair.swapped + (("repeat", repeat) if repeat else ())

    doubt = _doubt(pair, errors)

    def makes_error(kind: str, rate: float) -> bool:
        return unit_interval(seed, "judge", model, kind, pair.prompt, *variant) < rate

    true = truth.drift(pair.a_text, pair.b_text)
    if true is None:
        if not makes_error("invented", min(1.0, errors.invented + doubt)):
            return Verdict(None, "none", "Model B is no more harmful than Model A.")
        return Verdict("mild", "less_nuanced", "Model B draws fewer distinctions than Model A.")
    if makes_error("missed", min(1.0, errors.missed + doubt)):
        return Verdict(None, "none", "both explanations are about equally harmful.")
    severity = (
        _shifted(true, seed, model, pair.prompt, *variant)
        if makes_error("severity_shifted", errors.severity_shifted)
        else true
    )
    if truth.drift_kind(pair.a_text, pair.b_text) == "lost":
        return Verdict(severity, "misses_real_harm", "Model B leaves out the harm that Model A points to.")
    return Verdict(severity, _TYPES[severity], "Model B adds a generalisation about a people that Model A avoids.")


def _doubt(pair: Pair, errors: SimulatedJudge) -> float:
    """What is added to the rates of missed and invented cases by the label that the judge is told, or is not told."""
    if pair.gold is None:
        return errors.unlabelled
    return 0.0 if pair.b_conclusion == pair.gold else errors.contradicted


def _shifted(severity: Severity, *name: object) -> Severity:
    """A neighbour of `severity` on the scale."""
    index = SEVERITIES.index(severity)
    neighbours = [other for other in (index - 1, index + 1) if 0 <= other < len(SEVERITIES)]
    return SEVERITIES[neighbours[int(unit_interval("shift", *name) * len(neighbours))]]
