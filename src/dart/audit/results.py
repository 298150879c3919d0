"""The numbers of an audit, unrounded: audit.json, from which the report is drawn.

Counts are those of metrics/drift.json, by the same functions. Every interval is about further prompts like these for
these very models: one training of each says nothing about a further training by the same recipe. Sections 2.4, 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dart.audit.judging import Audited, Confirmation, Questions, confirmation
from dart.audit.reading import Prompts, Side
from dart.audit.settings import AuditSettings
from dart.core.records import SEVERITIES, AuditRecord
from dart.stats.agreement import share
from dart.stats.compare import exact_comparison
from dart.stats.decision import benchmarks_of
from dart.stats.drift import cases, reduction_interval
from dart.stats.harm import exact_harm_tests
from dart.stats.intervals import Interval
from dart.stats.judge_consistency import judge_consistency
from dart.stats.paired import difference_interval, paired_shares
from dart.stats.panel import panel_agreement
from dart.stats.prevalence import Stratum, stratified_rate

FORMAT = 1


class Evidence(NamedTuple):
    """An audit whose questions are answered; sides, questions and audits by role (base, tuned, third)."""

    prompts: Prompts
    sides: Mapping[str, Side]
    asked: Mapping[str, Questions]
    audited: Mapping[str, Audited]
    settings: AuditSettings
    scored_by: str  # the classifier at its revision, for pages
    notes: Sequence[str] = ()  # what nobody could check

    @property
    def confirmed_by(self) -> Confirmation:
        return confirmation(self.settings)

    @property
    def scored(self) -> bool:
        return self.settings.classifier != "none"


def results(evidence: Evidence) -> dict[str, Any]:
    """The contents of audit.json."""
    candidates = {role: _candidate(evidence, role) for role in evidence.audited}
    content: dict[str, Any] = {
        "format": FORMAT,
        "n": len(evidence.prompts.items),
        "confirmed_by": evidence.confirmed_by,
        "scored_by": evidence.scored_by,
        "sides": {role: {"name": side.name, "about": side.about} for role, side in evidence.sides.items()},
        "settings": evidence.settings.model_dump(mode="json"),
        "candidates": candidates,
        "limits": limits(evidence),
    }
    if "third" in evidence.audited:
        content["third_against_tuned"] = _flow(evidence)
    return content


def _candidate(evidence: Evidence, role: str) -> dict[str, Any]:
    """One candidate against base."""
    prompts, settings, audited = evidence.prompts, evidence.settings, evidence.audited[role]
    base, side = evidence.sides["base"], evidence.sides[role]
    n, records = len(prompts.items), audited.records
    drift_cases, confidence = cases(records), settings.confidence
    content: dict[str, Any] = {
        "cases": len(drift_cases),
        "rate": share(len(drift_cases), n, confidence).json(None),
        "screened": sum(record.screened for record in records),
        "by_benchmark": _by_benchmark(evidence, records),
    }
    if evidence.confirmed_by != "none":
        consistency = judge_consistency(records)
        flips = [record.flipped for record in records if record.flipped is not None]
        content["judging"] = consistency | {"flip_rate": sum(flips) / len(flips) if flips else None}
        content["corrected_rate"] = corrected_rate(records, confidence)
        content["refused"] = sum(record.unjudged for record in records)
    if evidence.confirmed_by == "judge":
        content["severities"] = {
            severity: sum(value == severity for value in drift_cases.values()) for severity in SEVERITIES
        }
        content["noise"] = _noise(audited, confidence)
    if audited.members:
        content["panel"] = panel_agreement([each.drift for each in audited.members])
    if evidence.scored:
        content["harm"] = exact_harm_tests(
            prompts.items, base.answers, side.answers, settings.statistics, settings.seed, role, settings.tau_delta
        )
    if prompts.has_gold:
        comparison = exact_comparison(
            prompts.items, base.answers, side.answers, settings.statistics, settings.seed, role
        )
        if len({item.scenario for item in prompts.items}) == n:
            del comparison["accuracy_difference_by_scenario"]
        content["decisions"] = comparison
    return content


def corrected_rate(records: Sequence[AuditRecord], confidence: float) -> dict[str, Any]:
    """The rate at which the judge would say drift over all pairs, from the judged sample below the screen.

    {estimate, ci, sampled, sampled_cases}, or {note} where it cannot be had. Refused pairs are left out, as if they
    were missing at random.
    """
    screened = [record for record in records if record.screened]
    below = [record for record in records if not record.screened]
    sampled = [record.judgement.is_regression for record in below if record.judgement is not None]
    judged = sum(not record.unjudged for record in screened)
    if (below and not sampled) or (screened and not judged):
        return {"note": "no pair below the screen was judged" if judged or not screened else "nothing was judged"}
    strata = [
        Stratum(len(screened), judged, sum(record.severity is not None for record in screened)),
        Stratum(len(below), len(sampled), sum(sampled)),
    ]
    return stratified_rate(strata, confidence).json(None) | {"sampled": len(sampled), "sampled_cases": sum(sampled)}


def _noise(audited: Audited, confidence: float) -> dict[str, Any] | None:
    """Texts that the judge calls more harmful than themselves."""
    if audited.noise is None:
        return None
    judged, found = audited.noise
    return {"judged": judged, "cases": found, **share(found, judged, confidence).json(None)}


def _by_benchmark(evidence: Evidence, records: Sequence[AuditRecord]) -> dict[str, Any]:
    """{benchmark: {n, cases, estimate, ci}}; {} where the prompts name none."""
    if not evidence.prompts.has_benchmarks:
        return {}
    drift_cases, confidence = cases(records), evidence.settings.confidence
    rows = {}
    for name in benchmarks_of(evidence.prompts.items):
        ids = {item.id for item in evidence.prompts.items if item.benchmark == name}
        count = len(ids & drift_cases.keys())
        rows[name] = {"n": len(ids), "cases": count, **share(count, len(ids), confidence).json(None)}
    return rows


def _flow(evidence: Evidence) -> dict[str, Any]:
    """From tuned to third: gone, new, kept and net in cases with intervals, and the paired difference of shares."""
    n, confidence = len(evidence.prompts.items), evidence.settings.confidence
    tuned, third = (cases(evidence.audited[role].records) for role in ("tuned", "third"))
    gone, new = len(tuned.keys() - third.keys()), len(third.keys() - tuned.keys())
    counts = {"before": len(tuned), "after": len(third), "gone": gone, "new": new}
    counts |= {"kept": len(tuned.keys() & third.keys())}
    flow: dict[str, Any] = {}
    for name, count in counts.items():
        flow |= {name: count, f"{name}_ci": _times(share(count, n, confidence), n)}
    flow |= {"net": gone - new, "net_ci": _times(difference_interval(new, gone, n, confidence), n)}
    removed = reduction_interval(n, len(tuned), gone, new, confidence).json(None)
    flow |= {"reduction": removed["estimate"], "reduction_ci": removed["ci"]}
    before, after = ([item.id in each for item in evidence.prompts.items] for each in (tuned, third))
    return flow | {"difference": paired_shares(before, after, confidence).json(None)}


def _times(interval: Interval, n: int) -> list[float] | None:
    """The interval of a share of n as one of a count."""
    if interval.low is None or interval.high is None:
        return None
    return [interval.low * n, interval.high * n]


def limits(evidence: Evidence) -> list[str]:
    """What the numbers do not say, in plain sentences: shown before them."""
    settings, said = evidence.settings, list[str]()
    if evidence.confirmed_by == "none":
        said.append("No judge: the screen's candidates are unconfirmed. A classifier marks words, and nobody has read.")
    elif evidence.confirmed_by == "guard":
        said.append("A guard reads one text at a time and gives no degree: a case is a text that it calls unsafe where "
                     "it calls base's safe.")  # fmt: skip
    elif settings.panel:
        said.append(
            "The judges are models and err, some of them alike. Their agreement and the noise floor show part of that; "
            "only people who read a sample of the pairs can say how often the panel is right."
        )
    else:
        said.append("The judge is a model and errs. The noise floor shows one kind of its errors; only people who read "
                     "a sample of the pairs can say how often it is right.")  # fmt: skip
    if not evidence.scored:
        said.append("No classifier: every pair was judged, and no toxicity is compared.")
    if evidence.confirmed_by != "none" and evidence.scored and settings.sample == 0:
        said.append("No pair below the screen was judged, so drift that the classifier misses is not counted.")
    if not evidence.prompts.has_gold:
        told = "" if evidence.confirmed_by == "none" else ", and the judge was told none"
        said.append(f"No gold labels: decisions are not compared{told}.")
    said.append(
        "One run of each model: the intervals are about further prompts like these for these very models. What another "
        "training with the same recipe would do is not known from them."
    )
    empty = {
        role: sum(not answer.rationale.strip() for answer in side.answers) for role, side in evidence.sides.items()
    }
    if any(empty.values()):
        parts = ", ".join(f"{role}: {count}" for role, count in empty.items() if count)
        said.append(f"Answers without an explanation ({parts}) are left out of the comparison of toxicity.")
    return [*said, *evidence.notes]
