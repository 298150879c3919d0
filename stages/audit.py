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
from dart.core.records import Generation, Item
from dart.core.schema.method import Distill
from dart.core.schema.profile import ScorerSpec
from dart.distill.rationales import as_generation, write_rationales
from dart.harm.audit import audit
from dart.harm.classifier import Classifier, score_generations
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
    written_ids = {rationale.item_id for rationale in rationales if rationale.text}  # what it refused has no text
    answers = score_generations([as_generation(each) for each in rationales if each.text], classifier)
    items = [item for item in items if item.id in written_ids]
    base = read_jsonl(layout.generations(student, "base", params.seeds[0]), Generation)
    base = [answer for answer in base if answer.item_id in written_ids]
    records, judged = audit(
        items, base, answers, params.tau_delta, judge_client(stage, params), params.audit, params.seed
    )
    judged.require_complete(stage)
    write_jsonl(layout.audit(student, "teacher", params.seeds[0]), records)
    return written.usage.cost, judged.usage.cost
