"""Stage `openended@S` (Section 3.4, Appendix I.1): base and repaired answer open-ended questions, scored by H."""

from __future__ import annotations

from dart.core import layout
from dart.core.distributed import is_main_process
from dart.core.files import write_jsonl
from dart.core.result_cache import result_cache
from dart.core.schema.method import OpenEnded
from dart.harm.classifier import Classifier, score_generations
from dart.openended.judging import SIDES, as_item, draw_questions
from dart.openended.questions import load
from dart.prompts.openended import open_question
from dart.student.generation import GenerationRequest, VariantRequests
from dart.student.stored_answers import answer_once
from stages.answers import AnsweringParams


class Params(AnsweringParams):
    openended: OpenEnded


def run(student: str) -> None:
    params = Params.load("openended", student=student)
    questions = draw_questions(load(), params.openended.per_domain, params.seed)
    items = [as_item(question) for question in questions]
    requests = [GenerationRequest(item, list(open_question(item.prompt))) for item in items]
    repaired = layout.adapter(student, "repaired", params.reference_seed)
    with result_cache("external.openended", student) as results:
        generations = answer_once(
            results,
            layout.base(student),
            params.student,
            {"base": VariantRequests(None, requests), "repaired": VariantRequests(repaired, requests)},
            params.generation.model_copy(update={"max_new_tokens": params.openended.max_new_tokens}),
            params.seed,
        )
        toxicity = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
        answers = {side: score_generations(generations[side], toxicity) for side in SIDES}
        if is_main_process():
            write_jsonl(layout.openended_answers(student), [answer for side in SIDES for answer in answers[side]])
