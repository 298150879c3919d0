"""Stage `audit@S` (Stage II, Section 2.4): screen by Eq. 1, let the judge confirm and grade.

The same judge reads the teacher's own rationales of the test prompts (K.4): what of the harm the student takes over and
what it adds shows only beside them. They are never trained on.
"""

from __future__ import annotations

from typing import Annotated

from dart.chat.tasks import Cost
from dart.core import layout
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import FromProfile, TeacherEndpoint
from dart.core.records import Generation, Item, Rationale
from dart.core.schema.method import Distill
from dart.core.schema.profile import ScorerSpec
from dart.distill.rationales import write_rationales
from dart.harm.audit import audit
from dart.harm.classifier import Classifier, score_generations
from dart.prompts.answer_format import parse
from stages.audits import AuditParams, audit_variant, judge_client
from stages.clients import chat_client, write_cost


class Params(AuditParams):
    distill: Distill
    teacher: TeacherEndpoint
    toxicity: Annotated[ScorerSpec, FromProfile("scorers.toxicity")]


def run(student: str) -> None:
    stage = f"audit@{student}"
    params = Params.load("audit", student=student)
    costs = audit_variant(stage, params, student, "distilled", "before")
    write_cost(stage, *costs, *_audit_teacher(stage, params, student))


def _audit_teacher(stage: str, params: Params, student: str) -> tuple[Cost, Cost]:
    """The teacher's rationales of the test items against base, screened and judged as the student's are.

    Once for all training seeds: neither side was trained.
    """
    items = read_jsonl(layout.split("test"), Item)
    teacher = chat_client(stage, "teacher", params.teacher, params)
    rationales, written = write_rationales(items, teacher, params.distill)
    written.require_complete(stage)
    classifier = Classifier.load(layout.SCORERS / "toxicity", params.toxicity)
    answers = score_generations([_as_generation(rationale) for rationale in rationales], classifier)
    base = read_jsonl(layout.generations(student, "base", params.seeds[0]), Generation)
    records, judged = audit(
        items, base, answers, params.tau_delta, judge_client(stage, params), params.audit, params.seed
    )
    judged.require_complete(stage)
    write_jsonl(layout.audit(student, "teacher", params.seeds[0]), records)
    return written.usage.cost, judged.usage.cost


def _as_generation(rationale: Rationale) -> Generation:
    """A rationale in the place of a student's answer; also a refused one, for the teacher wrote it."""
    parsed = parse(rationale.text)
    return Generation(
        item_id=rationale.item_id,
        variant="teacher",
        text=rationale.text,
        rationale=parsed.rationale,
        prediction=parsed.prediction,
        new_tokens=0,
        model=rationale.model,
        revision="",
        prompt_hash=rationale.prompt_hash,
    )
