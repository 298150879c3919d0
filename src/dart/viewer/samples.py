"""The samples of a run as one value: items, answers of every variant, audits, truth and labels, by student and seed.

The page filters in the browser, so columns hold one entry per test item, in the order of the test set; what a table
counts (novel cases, disagreeing judges) is decided here by the code that the tables use. Sections 2.4 and 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dart.core import layout
from dart.core.files import read_json, read_jsonl
from dart.core.records import SEVERITIES, AuditRecord, Generation, Item, Judgement, Record, Severity
from dart.core.schema.profile import Label
from dart.harm.guards import GuardVerdict
from dart.metrics.novelty import median_base_toxicity, novel_cases
from dart.metrics.run import CONTROL, STAGES, TEACHER
from dart.stats.annotation import AnnotatedPair
from dart.stats.drift import Cases

AUDIT_OF: Mapping[str, str] = {"distilled": "before", "repaired": "after", CONTROL: "control", TEACHER: "teacher"}
ROLES = ("judge", "second_judge")
_LEVELS: tuple[str | None, ...] = (None, *SEVERITIES)

# seed -> slot -> variant -> its true drift cases against base; known of simulated students alone
TruthBySeed = Mapping[int, Mapping[str, Mapping[str, Cases]]]


class SeedSamples(Record):
    """What one training seed of one student led to; `answers` by variant (base left out), `audits` by variant."""

    seed: int
    answers: Mapping[str, tuple[Generation, ...]]
    audits: Mapping[str, tuple[AuditRecord, ...]]


class StudentSamples(Record):
    """One student: base answers once, everything else by training seed, the reference seed first."""

    slot: str
    name: str
    base: tuple[Generation, ...]
    seeds: tuple[SeedSamples, ...]


class Samples(Record):
    """The test set with everything that was written and said about it.

    `annotated` and `verdicts` (role -> item id -> audit record) belong to the reference seed of student `labelled`.
    """

    label: Label
    profile: str
    items: tuple[Item, ...]
    names: Mapping[str, str]  # of benchmarks, for display
    real: bool  # prompts come from people: a warning stands above them
    students: tuple[StudentSamples, ...]
    labelled: str = ""
    annotated: tuple[AnnotatedPair, ...] = ()
    verdicts: Mapping[str, tuple[AuditRecord, ...]] = {}
    guards: Mapping[str, tuple[GuardVerdict, ...]] = {}  # of the same pairs


def load_samples(
    root: Path, students: Sequence[str], seeds: Sequence[int], label: Label, profile: str, labelled: str
) -> Samples:
    """Read the samples from the tree under `root`; the control, the teacher's audit and labels where they exist.

    Args:
        seeds: the reference seed first.
        labelled: slot whose pairs are annotated.

    Raises:
        DataError: a file is missing or damaged (named, with the way out).
    """
    card = read_json(root / layout.SUITE / "card.json", dict)
    annotated = root / layout.ANNOTATED_PAIRS
    return Samples(
        label=label,
        profile=profile,
        items=tuple(read_jsonl(root / layout.split("test"), Item)),
        names=card.get("names", {}),
        real=card.get("provenance", {}).get("source") != "embedded",
        students=tuple(_student(root, slot, seeds) for slot in students),
        labelled=labelled,
        annotated=tuple(read_jsonl(annotated, AnnotatedPair)) if annotated.is_file() else (),
        verdicts={
            role: tuple(read_jsonl(root / layout.verdicts(role), AuditRecord))
            for role in ROLES
            if (root / layout.verdicts(role)).is_file()
        },
        guards={
            path.stem: tuple(read_jsonl(path, GuardVerdict))
            for path in sorted((root / layout.guard_verdicts()).glob("*.jsonl"))
        },
    )


def _student(root: Path, slot: str, seeds: Sequence[int]) -> StudentSamples:
    base = tuple(read_jsonl(root / layout.generations(slot, "base", seeds[0]), Generation))
    return StudentSamples(
        slot=slot,
        name=base[0].model if base else slot,
        base=base,
        seeds=tuple(_seed(root, slot, seed, optional=seed != seeds[0]) for seed in seeds if _has(root, slot, seed)),
    )


def _has(root: Path, slot: str, seed: int) -> bool:
    return (root / layout.generations(slot, "distilled", seed)).is_file()


def _seed(root: Path, slot: str, seed: int, *, optional: bool) -> SeedSamples:
    """`optional`: a seed beside the reference seed, whose unfinished variants are left out."""
    answers = {}
    for variant in (*STAGES[1:], CONTROL):
        path = root / layout.generations(slot, variant, seed)
        if path.is_file() or not (optional or variant == CONTROL):
            answers[variant] = tuple(read_jsonl(path, Generation))
    audits = {
        variant: tuple(read_jsonl(path, AuditRecord))
        for variant, when in AUDIT_OF.items()
        if (path := root / layout.audit(slot, when, seed)).is_file()
    }
    return SeedSamples(seed=seed, answers=answers, audits=audits)


class Strings:
    """Texts by number, each stored once: students repeat themselves, above all where they agree."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def index(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))


def item_columns(samples: Samples) -> dict[str, Any]:
    """The test items as columns."""
    fields = ("id", "benchmark", "condition", "gold", "prompt", "scenario")
    return {field: [getattr(item, field) for item in samples.items] for field in fields}


def base_columns(samples: Samples, student: StudentSamples) -> dict[str, Any]:
    """The base's answers as columns, with their texts."""
    strings = Strings()
    answers = {"base": _answers(samples.items, student.base, strings)}
    return {"strings": list(strings.texts), "answers": answers}


def seed_columns(
    samples: Samples, student: StudentSamples, seed: SeedSamples, truth: Mapping[str, Cases] | None
) -> dict[str, Any]:
    """Answers, audits and truth of one training seed as columns; labels and other judges where this one has them."""
    strings = Strings()
    is_reference = seed.seed == student.seeds[0].seed
    has_labels = is_reference and student.slot == samples.labelled
    answers = {name: _answers(samples.items, given, strings) for name, given in seed.answers.items()}
    audits = {
        variant: _audit(samples, records, strings, samples.verdicts if has_labels and variant == "distilled" else {})
        for variant, records in seed.audits.items()
    }
    known = {name: _severities(samples.items, cases) for name, cases in (truth or {}).items() if name in answers}
    labels = {pair.item_id: [list(pair.annotators), pair.consensus] for pair in samples.annotated} if has_labels else {}
    guards: dict[str, dict[str, list[Any]]] = {}
    for name, verdicts in samples.guards.items() if has_labels else ():
        for verdict in verdicts:
            read = [verdict.base_unsafe, verdict.candidate_unsafe, ", ".join(verdict.categories)]
            guards.setdefault(verdict.item_id, {})[name] = read
    return {
        "strings": list(strings.texts),
        "answers": answers,
        "audits": audits,
        "truth": known,
        "labels": labels,
        "guards": guards,
    }


def _answers(items: Sequence[Item], answers: Iterable[Generation], strings: Strings) -> dict[str, Any]:
    by_id = {answer.item_id: answer for answer in answers}
    ordered = [by_id.get(item.id) for item in items]
    return {
        "text": [None if answer is None else strings.index(answer.text) for answer in ordered],
        "prediction": [None if answer is None else answer.prediction or "" for answer in ordered],
        "toxicity": [None if answer is None else answer.toxicity for answer in ordered],
    }


def _severities(items: Sequence[Item], cases: Mapping[str, Severity]) -> list[int]:
    """0: no drift; 1-4: mild to extreme."""
    return [_LEVELS.index(cases.get(item.id)) for item in items]


def _audit(
    samples: Samples,
    records: Sequence[AuditRecord],
    strings: Strings,
    verdicts: Mapping[str, Sequence[AuditRecord]],
) -> dict[str, Any]:
    by_id = {record.item_id: record for record in records}
    said: dict[str, dict[str, Judgement]] = {}
    for role, judged in verdicts.items():
        for record in judged:
            if record.judgement is not None:
                said.setdefault(record.item_id, {})[role] = record.judgement
    ordered = [by_id.get(item.id) for item in samples.items]
    safe = {record.item_id for record in novel_cases(records, None)}
    below_median = {record.item_id for record in novel_cases(records, median_base_toxicity(records))}
    return {
        "delta": [record and record.delta for record in ordered],
        "toxicity": [record and record.toxicity_candidate for record in ordered],
        "screened": [int(record is not None and record.screened) for record in ordered],
        "sampled": [int(record is not None and record.sampled) for record in ordered],
        "severity": [_LEVELS.index(record.severity) if record is not None else 0 for record in ordered],
        "verdict": [_verdict(record.judgement, strings) if record else None for record in ordered],
        "verdicts": {
            record.item_id: [_verdict(verdict, strings) for verdict in record.verdicts]
            for record in records
            if record.verdicts
        },
        "judges": {
            item: {role: _verdict(judgement, strings) for role, judgement in by_role.items()}
            for item, by_role in said.items()
        },
        "refusals": {
            record.item_id: [record.refusal.by, record.refusal.kind, strings.index(record.refusal.words)]
            for record in records
            if record.refusal is not None
        },
        "disagree": [int(record is not None and _disagree(record, said.get(record.item_id, {}))) for record in ordered],
        "safe_base": [int(item.id in safe) for item in samples.items],
        "median_base": [int(item.id in below_median) for item in samples.items],
    }


def _verdict(judgement: Judgement | None, strings: Strings) -> list[Any] | None:
    """[regression, severity, type, reason, whether base was right, whether the candidate was]."""
    if judgement is None:
        return None
    return [
        int(judgement.is_regression),
        judgement.severity,
        judgement.regression_type,
        strings.index(judgement.reason),
        int(judgement.a_correct),
        int(judgement.b_correct),
    ]


def _disagree(record: AuditRecord, said: Mapping[str, Judgement]) -> bool:
    """Whether two verdicts on this pair differ: of orders, votes or judges."""
    verdicts = [*record.verdicts, *said.values()]
    if record.judgement is not None:
        verdicts.append(record.judgement)
    return bool(record.flipped) or len({verdict.is_regression for verdict in verdicts}) > 1
