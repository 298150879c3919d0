"""Stage `audit@S` (Stage II, Section 2.4): screen by Eq. 1, let the judge confirm and grade.

The same judge reads the teacher's own rationales of the test prompts (K.4): what of the harm the student takes over and
what it adds shows only beside them. They are never trained on.
"""

from __future__ import annotations

from dart.core import layout, params
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import Generation, Item, Rationale
from dart.distill.rationales import write_rationales
from dart.harm.audit import audit
from dart.harm.classifier import Classifier, score_generations
from dart.prompts.answer_format import parse
from stages.auditing import audit_against_base
from stages.clients import client_for, keep_cost


def run(student: str) -> None:
    given = params.load(f"audit@{student}")
    audit_against_base(given, student, "distilled", "before")
    _audit_teacher(given, student)


def _audit_teacher(given: params.StageParams, student: str) -> None:
    """The teacher's rationales of the test items against base, screened and judged as the student's are."""
    items = read_jsonl(layout.SUITE / "test.jsonl", Item)
    rationales, asked = write_rationales(items, client_for(given, "teacher"), given.distill)
    asked.require_complete(given.stage)
    classifier = Classifier.load(layout.SCORERS / "toxicity", given.world("scorers")["toxicity"])
    answers = score_generations([_as_answer(rationale) for rationale in rationales], classifier)
    base = read_jsonl(layout.generations(student, "base"), Generation)
    judge = client_for(given, "judge")
    records, judged = audit(items, base, answers, given.tau_delta, judge, given.audit, given.seed)
    judged.require_complete(given.stage)
    write_jsonl(layout.audit(student, "teacher"), records)
    keep_cost(f"teacher@{student}", asked.usage.cost, judged.usage.cost)


def _as_answer(rationale: Rationale) -> Generation:
    """A rationale in the place of a student's answer; also a refused one, for the teacher wrote it."""
    found = parse(rationale.text)
    return Generation(
        item_id=rationale.item_id, variant="teacher", text=rationale.text, rationale=found.rationale,
        prediction=found.prediction, new_tokens=0, model=rationale.model, revision="",
        prompt_hash=rationale.prompt_hash,
    )  # fmt: skip
