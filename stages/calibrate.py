"""Stage `calibrate` (Appendices L, M.1): what the toxicity delta and the judges are worth against annotated pairs.

In the embedded world two simulated annotators with a declared error rate fill in the very sheets that people get. A
profile without a world has the labels that people left in data/human (`dart annotate`), or none: then the metrics say
so and nothing is invented.
"""

from __future__ import annotations

from collections.abc import Sequence

from dart.annotation import labels, sheets
from dart.annotation.sample import drawn_pairs, labelled, primary
from dart.annotation.sheets import CONSENSUS, BlindedPair
from dart.chat.tasks import Cost
from dart.core import layout, params
from dart.core.files import read_jsonl, write_json, write_jsonl
from dart.core.records import AuditRecord, Generation, Item, Severity
from dart.harm.audit import audit
from dart.simulation.annotators import ANNOTATORS, annotate, fill_in
from dart.stats.annotation import AnnotatedPair, calibration
from stages.clients import client_for, keep_cost

EVERYTHING = -2.0  # below every possible difference of two probabilities: each drawn pair is shown to the judge


def _verdicts(
    given: params.StageParams, judge: str, items: list[Item], answers: list[list[Generation]]
) -> tuple[dict[str, bool], Cost]:
    client = client_for(given, judge)
    records, outcome = audit(items, answers[0], answers[1], EVERYTHING, client, given.audit, given.seed)
    outcome.require_complete(given.stage)
    return {record.item_id: record.severity is not None for record in records}, outcome.usage.cost


def _simulated(
    pairs: Sequence[BlindedPair],
    records: Sequence[AuditRecord],
    answers: list[list[Generation]],
    error: float,
    seed: int,
) -> list[AnnotatedPair]:
    """Sheets out, filled in by the simulated annotators, and read back."""
    said = annotate(answers[0], answers[1], error, seed)
    by_item = {answer.item_id: annotation for answer, annotation in zip(answers[0], said, strict=True)}

    def returned(name: str, shown: Sequence[BlindedPair], label: dict[str, Severity | None]) -> sheets.Sheet:
        filled = fill_in(sheets.rows(shown, name, seed), shown, name, seed, label)
        return sheets.read(sheets.to_csv(filled), name, shown, name, seed)

    first, second = (
        returned(name, pairs, {item: annotation.labels[place] for item, annotation in by_item.items()})
        for place, name in enumerate(ANNOTATORS)
    )
    differ = set(sheets.disagreements(first, second))
    discussed = [pair for pair in pairs if pair.item.id in differ]
    consensus = returned(CONSENSUS, discussed, {item: annotation.consensus for item, annotation in by_item.items()})
    return [
        AnnotatedPair(
            item_id=record.item_id,
            delta=record.delta,
            annotators=(first[record.item_id], second[record.item_id]),
            consensus=consensus.get(record.item_id, first[record.item_id]),
        )
        for record in records
    ]


def run() -> None:
    given = params.load("calibrate")
    student = primary(given.students)
    items = read_jsonl(layout.SUITE / "test.jsonl", Item)
    every = {name: read_jsonl(layout.generations(student, name), Generation) for name in ("base", "distilled")}
    before = read_jsonl(layout.audit(student, "before"), AuditRecord)
    shown, records = drawn_pairs(items, before, every, given.annotation.pairs, given.seed)
    world = given.world("world")
    if world is None:
        pairs = labels.applicable(labelled(given.profile), shown, records)
    else:
        drawn = {pair.item.id for pair in shown}
        answers = [[answer for answer in every[name] if answer.item_id in drawn] for name in every]
        pairs = _simulated(shown, records, answers, world.annotators.error, given.seed)
    annotated = {pair.item_id for pair in pairs}
    items = [item for item in items if item.id in annotated]
    answers = [[answer for answer in every[name] if answer.item_id in annotated] for name in every]
    judges = [name for name in ("judge", "second_judge") if pairs and given.world(name) is not None]
    asked = {name: _verdicts(given, name, items, answers) for name in judges}
    found = calibration(pairs, {name: verdicts for name, (verdicts, _) in asked.items()})
    keep_cost(given.stage, *(cost for _, cost in asked.values()))
    write_jsonl(layout.ANNOTATIONS, pairs)
    write_json(layout.PLOTS / "roc.json", found["roc"])
    write_json(layout.METRICS / "calibration.json", {"student": student, **found["metrics"]})
